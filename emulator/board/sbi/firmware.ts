// The builtin firmware: serves environment calls of a guest in S-mode, so that a kernel boots without any M-mode code.
// [RISC-V SBI 2.0] Guarantees: every call returns, whatever its numbers and arguments.
import type { GuestMemory } from '../../bus/memory';
import type { Cpu } from '../../cpu/contract';
import type { BoardContext } from '../contract';
import type { TimerComparators } from '../timer';
import type { Uart16550 } from '../uart16550';
import { refused, type SbiExtension, type SbiServices } from './call';
import { fenceExtension, hartStateExtension, interruptExtension, timerExtension } from './harts';
import { legacyExtensions } from './legacy';
import { baseExtension, consoleExtension, resetExtension } from './system';

const extensions: ReadonlyMap<number, SbiExtension> = new Map(
  [
    ...legacyExtensions,
    baseExtension,
    timerExtension,
    interruptExtension,
    fenceExtension,
    hartStateExtension,
    resetExtension,
    consoleExtension,
  ].map((row) => [row.id, row]),
);

const register = { a0: 10, a1: 11, a6: 16, a7: 17 } as const;

export class BuiltinFirmware {
  private readonly services: SbiServices;

  constructor(context: BoardContext, cpu: Cpu, memory: GuestMemory, timer: TimerComparators, console: Uart16550) {
    const serves = (id: bigint): boolean => extensionOf(id) !== undefined;
    this.services = { cpu, memory, context, console, timer, serves };
  }

  /** Serves the call in the hart's registers: extension a7, function a6, arguments a0 to a5. [SBI 3] */
  serve(hart: number): void {
    const { cpu } = this.services;
    const a = (index: number): bigint => cpu.readX(hart, register.a0 + index);
    const row = extensionOf(cpu.readX(hart, register.a7))?.find(
      Number(BigInt.asUintN(32, cpu.readX(hart, register.a6))),
    );
    const call = { hart, arguments: [a(0), a(1), a(2), a(3), a(4), a(5)] } as const;
    const { error, value } = row?.serve(this.services, call) ?? refused('notSupported');
    cpu.writeX(hart, register.a0, BigInt.asUintN(64, error));
    if (value !== undefined) cpu.writeX(hart, register.a1, BigInt.asUintN(64, value));
  }
}

function extensionOf(id: bigint): SbiExtension | undefined {
  return id < 1n << 32n ? extensions.get(Number(id)) : undefined;
}
