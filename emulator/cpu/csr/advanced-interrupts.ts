// Smaia and Ssaia: top interrupts, priorities of major interrupts, and the windows to a hart's interrupt files. [RISC-V AIA 1.0, 2, 3.8, 5]
// Guarantees: where the board has no interrupt files none of these CSRs exists.
import { interruptBit, type InterruptLevel } from '../contract';
import type { HartState } from '../hart-state';
import type { CsrHart, CsrRow } from './row';

/** What differs between the two levels. */
const levels = {
  M: { external: interruptBit.MEIP, select: 'miselect', low: 'machinePriorities0', high: 'machinePriorities2' },
  S: { external: interruptBit.SEIP, select: 'siselect', low: 'supervisorPriorities0', high: 'supervisorPriorities2' },
} as const;

/** Major interrupts that exist, in default order: the one that comes first has the highest priority. [AIA 5.1] */
const defaultOrder = [11, 3, 7, 9, 1, 5] as const;
/** Priorities are bytes, eight of them in a register. */
const bytesInRegister = 8;
const leastPriority = 255;
/** Values of a select register. [AIA 2.2, 5.2.2] */
const selects = { mask: 0x1ffn, priorities: 0x30, lastPriorities: 0x3f, files: 0x70, lastFiles: 0xff } as const;
const identityShift = 16n;

/** Bytes of a level's priorities that software may set: those of interrupts that exist, without the level's external one. [AIA 5.2.2] */
function settable(level: InterruptLevel, register: 'low' | 'high'): bigint {
  const first = register === 'low' ? 0 : bytesInRegister;
  const numbers = level === 'M' ? defaultOrder : ([9, 1, 5] as const);
  return numbers
    .filter((code) => code !== levels[level].external && code >= first && code < first + bytesInRegister)
    .reduce((mask, code) => mask | (0xffn << BigInt((code - first) * 8)), 0n);
}

function configuredPriority(state: HartState, level: InterruptLevel, code: number): number {
  const register = state.get(code < bytesInRegister ? levels[level].low : levels[level].high);
  return Number((register >> BigInt((code % bytesInRegister) * 8)) & 0xffn);
}

/**
 * The priority number that a top interrupt shows: 0 is above all that can be configured, 255 at the end. An interrupt without a
 * configured number stands where the default order has it beside the external interrupt; that one has its identity's. [AIA 5.2.2]
 */
function shownPriority(hart: CsrHart, level: InterruptLevel, code: number): number {
  const { external } = levels[level];
  if (code === external) return Math.min(hart.interruptFiles?.top(hart.state.index, level) ?? 0, leastPriority);
  const configured = configuredPriority(hart.state, level, code);
  if (configured !== 0) return configured;
  return defaultOrder.findIndex((one) => one === code) < defaultOrder.findIndex((one) => one === external)
    ? 0
    : leastPriority;
}

/** Of several pending interrupts (bits) the one to take first, by number; undefined for none. */
export function preferredInterrupt(hart: CsrHart, level: InterruptLevel, candidates: bigint): number | undefined {
  let best: { readonly code: number; readonly priority: number } | undefined;
  for (const code of defaultOrder) {
    if (((candidates >> BigInt(code)) & 1n) === 0n) continue;
    const priority = shownPriority(hart, level, code);
    if (best === undefined || priority < best.priority) best = { code, priority };
  }
  return best?.code;
}

/** mtopi or stopi: what is pending and enabled for the level, whatever mstatus says. [AIA 5.2.3] */
function topRow(name: string, number: number, level: InterruptLevel): CsrRow {
  return {
    ...{ name, number, needs: 'interrupt files' },
    read: (hart) => {
      const { state } = hart;
      const delegated = state.get('mideleg');
      const pending = (state.get('mip') | state.get('externalSupervisorInterrupt')) & state.get('mie');
      const code = preferredInterrupt(hart, level, pending & (level === 'M' ? ~delegated : delegated));
      if (code === undefined) return 0n;
      return (BigInt(code) << identityShift) | BigInt(shownPriority(hart, level, code));
    },
  };
}

/** mtopei or stopei: any write claims what a read shows. [AIA 3.10] */
function topExternalRow(name: string, number: number, level: InterruptLevel): CsrRow {
  return {
    ...{ name, number, needs: 'interrupt files' },
    read: ({ state, interruptFiles }) => {
      const identity = BigInt(interruptFiles?.top(state.index, level) ?? 0);
      return (identity << identityShift) | identity;
    },
    write: ({ state, interruptFiles }) => interruptFiles?.claim(state.index, level),
  };
}

function selectRow(name: 'miselect' | 'siselect', number: number): CsrRow {
  return {
    ...{ name, number, needs: 'interrupt files' },
    read: ({ state }) => state.get(name),
    write: ({ state }, value) => state.set(name, value & selects.mask),
  };
}

/** What a window's select register denotes. Odd numbers belong to the upper halves of 32-bit harts. [AIA 2.3] */
function behindWindow(
  hart: CsrHart,
  level: InterruptLevel,
): { readonly kind: 'priorities' | 'file'; readonly select: number } | undefined {
  const select = Number(hart.state.get(levels[level].select));
  if (select >= selects.priorities && select <= selects.lastPriorities && select % 2 === 0)
    return { kind: 'priorities', select: select - selects.priorities };
  if (select < selects.files || select > selects.lastFiles) return undefined;
  return hart.interruptFiles?.read(hart.state.index, level, select) === undefined
    ? undefined
    : { kind: 'file', select };
}

/** The cell of a register of priorities; the others are 0, because their interrupts do not exist. */
function prioritiesCell(register: number): 'low' | 'high' | undefined {
  return register === 0 ? 'low' : register === 2 ? 'high' : undefined;
}

/** mireg or sireg. */
function windowRow(name: string, number: number, level: InterruptLevel): CsrRow {
  return {
    ...{ name, number, needs: 'interrupt files' },
    permits: (hart) => behindWindow(hart, level) !== undefined,
    read: (hart) => {
      const found = behindWindow(hart, level);
      if (found === undefined) return 0n;
      if (found.kind === 'file') return hart.interruptFiles?.read(hart.state.index, level, found.select) ?? 0n;
      const cell = prioritiesCell(found.select);
      return cell === undefined ? 0n : hart.state.get(levels[level][cell]);
    },
    write: (hart, value) => {
      const found = behindWindow(hart, level);
      if (found?.kind === 'file') hart.interruptFiles?.write(hart.state.index, level, found.select, value);
      const cell = found?.kind === 'priorities' ? prioritiesCell(found.select) : undefined;
      if (cell !== undefined) setPriorities(hart.state, level, cell, value);
    },
  };
}

function setPriorities(state: HartState, level: InterruptLevel, register: 'low' | 'high', value: bigint): void {
  state.set(levels[level][register], value & settable(level, register));
  const all = Object.values(levels).flatMap(({ low, high }) => [state.get(low), state.get(high)]);
  state.set('prioritised', all.some((priorities) => priorities !== 0n) ? 1n : 0n);
}

/** Numbers after those of the supervisor level. mvien and mvip are there and stay 0, as on QEMU. */
export const advancedInterruptRows: readonly CsrRow[] = [
  selectRow('siselect', 0x150),
  windowRow('sireg', 0x151, 'S'),
  topExternalRow('stopei', 0x15c, 'S'),
  topRow('stopi', 0xdb0, 'S'),
  { ...{ name: 'mvien', number: 0x308, needs: 'interrupt files' }, read: () => 0n },
  { ...{ name: 'mvip', number: 0x309, needs: 'interrupt files' }, read: () => 0n },
  selectRow('miselect', 0x350),
  windowRow('mireg', 0x351, 'M'),
  topExternalRow('mtopei', 0x35c, 'M'),
  topRow('mtopi', 0xfb0, 'M'),
];
