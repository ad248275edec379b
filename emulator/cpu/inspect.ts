// Address translation for debuggers: walks the page tables by the hart's current state and changes nothing. [RISC-V priv. 10.3.2]
import type { HartState, MachineMemory } from './hart-state';
import type { MemoryLayout } from './layout';
import { mstatus, privilege } from './system/status';

const pte = { V: 1n, R: 2n, W: 4n, X: 8n, reserved: 0x1fc0_0000_0000_0000n, N: 1n << 63n } as const;

/**
 * The physical address that a data access of the hart would reach, permissions aside; `undefined` where nothing is mapped or the
 * tables lie outside RAM.
 */
export function peekTranslation(
  memory: MachineMemory,
  layout: MemoryLayout,
  state: HartState,
  virtualAddress: bigint,
): number | undefined {
  const address = BigInt.asUintN(64, virtualAddress);
  const satp = state.get('satp');
  const physical =
    state.getWord('dataMode') === privilege.M || satp >> 60n === 0n ? address : walk(memory, layout, satp, address);
  return physical === undefined || physical > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(physical);
}

function walk(memory: MachineMemory, layout: MemoryLayout, satp: bigint, address: bigint): bigint | undefined {
  const levels = Number(satp >> 60n) - 5;
  const addressBits = 12 + 9 * levels;
  if (BigInt.asUintN(64, BigInt.asIntN(addressBits, address)) !== address) return undefined;
  let table = (satp & ((1n << 44n) - 1n)) << 12n;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = BigInt(12 + 9 * level);
    const offset = table + ((address >> shift) & 511n) * 8n - BigInt(layout.ramBase);
    if (offset < 0n || offset >= BigInt(layout.ramBytes)) return undefined;
    const entry = memory.view.getBigUint64(layout.ram + Number(offset), true);
    if ((entry & pte.V) === 0n || (entry & pte.reserved) !== 0n) return undefined;
    const page = ((entry >> 10n) & ((1n << 44n) - 1n)) << 12n;
    if ((entry & (pte.R | pte.X)) === 0n) {
      if ((entry & pte.W) !== 0n) return undefined;
      table = page;
      continue;
    }
    const isRange = (entry & pte.N) !== 0n;
    if (isRange && (level > 0 || ((page >> 12n) & 15n) !== 8n)) return undefined;
    const within = (1n << (isRange ? 16n : shift)) - 1n;
    const start = isRange ? page & ~within : page;
    return (start & within) === 0n ? start | (address & within) : undefined;
  }
  return undefined;
}

/** Name of the hart's mode. */
export function modeName(mode: number): 'M' | 'S' | 'U' {
  return mode === privilege.M ? 'M' : mode === privilege.S ? 'S' : 'U';
}

/** Interrupts that are pending and enabled in mie. */
export function wakesFromWait(state: HartState): boolean {
  return ((state.get('mip') | state.get('externalSupervisorInterrupt')) & state.get('mie')) !== 0n;
}

/** Whether the hart takes an interrupt before its next instruction. [RISC-V priv. 3.1.6.1, 3.1.9] */
export function interruptDue(state: HartState): boolean {
  const pending = (state.get('mip') | state.get('externalSupervisorInterrupt')) & state.get('mie');
  if (pending === 0n) return false;
  const mode = state.getWord('mode');
  const status = state.get('mstatus');
  const delegated = state.get('mideleg');
  const open = (target: number, enable: bigint): boolean =>
    mode < target || (mode === target && (status & enable) !== 0n);
  return (
    (open(privilege.M, mstatus.MIE) && (pending & ~delegated) !== 0n) ||
    (open(privilege.S, mstatus.SIE) && (pending & delegated) !== 0n)
  );
}
