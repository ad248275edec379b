// What an SBI call is and what serves it. One table for each extension; the firmware walks them. [RISC-V SBI 2.0, 3]
import type { GuestMemory } from '../../bus/memory';
import type { Cpu } from '../../cpu/contract';
import type { BoardContext } from '../contract';
import type { TimerComparators } from '../timer';
import type { Uart16550 } from '../uart16550';

/** Standard error codes. [SBI 3.1] */
export const sbiError = {
  success: 0,
  failed: -1,
  notSupported: -2,
  invalidParameter: -3,
  denied: -4,
  invalidAddress: -5,
  alreadyAvailable: -6,
  alreadyStarted: -7,
  alreadyStopped: -8,
} as const;

/** What goes to a0 and a1. Legacy calls return in a0 alone. [SBI 5] */
export interface SbiResult {
  readonly error: bigint;
  readonly value?: bigint;
}

export interface SbiFunction {
  readonly name: string;
  readonly serve: (services: SbiServices, call: SbiCall) => SbiResult;
}

export interface SbiExtension {
  readonly id: number;
  readonly name: string;
  /** The function with this number (a6). */
  find(functionNumber: number): SbiFunction | undefined;
}

export interface SbiCall {
  readonly hart: number;
  /** a0 to a5, unsigned. */
  readonly arguments: readonly [bigint, bigint, bigint, bigint, bigint, bigint];
}

export interface SbiServices {
  readonly cpu: Cpu;
  readonly memory: GuestMemory;
  readonly context: BoardContext;
  readonly console: Uart16550;
  readonly timer: TimerComparators;
  /** Whether an extension with this id is served. */
  serves(extension: bigint): boolean;
}

export const succeeded = (value = 0n): SbiResult => ({ error: 0n, value });
export const refused = (error: keyof typeof sbiError): SbiResult => ({ error: BigInt(sbiError[error]), value: 0n });

/** Rows of one extension: function number, name, behaviour. */
export function extension(
  id: number,
  name: string,
  rows: readonly (readonly [number: number, name: string, serve: SbiFunction['serve']])[],
): SbiExtension {
  const functions = new Map(rows.map(([number, functionName, serve]) => [number, { name: functionName, serve }]));
  return { id, name, find: (number) => functions.get(number) };
}

/**
 * The harts of a mask. A base of all ones means every hart. [SBI 3.2]
 * @returns undefined when the mask names a hart that does not exist
 */
export function hartsOf(services: SbiServices, mask: bigint, base: bigint): readonly number[] | undefined {
  const { harts } = services.context;
  const all = Array.from({ length: harts }, (_, hart) => hart);
  if (base === (1n << 64n) - 1n) return all;
  if (base + BigInt(mask.toString(2).length) > BigInt(harts) && mask !== 0n) return undefined;
  return all.filter((hart) => BigInt(hart) >= base && ((mask >> (BigInt(hart) - base)) & 1n) === 1n);
}
