// CSR accesses by number: those of instructions that generated code does not serve itself, and those of a debugger.
import { csrDescriptor, csrEffect, csrIndex, hartCell } from '../layout';
import type { MachineMemory } from '../hart-state';
import { csrChange, csrFlag, csrOutcome } from '../system/direct';
import type { CsrHart, CsrRow } from './row';
import { csrRows } from './rows';

const rowsByNumber = new Map(csrRows.map((row) => [row.number, row]));

/** The CSRs of a processor, with or without those of Smaia and Ssaia. */
export function csrNames(interruptFiles: boolean): readonly { readonly name: string; readonly number: number }[] {
  return csrRows
    .filter(({ needs }) => needs === undefined || interruptFiles)
    .map(({ name, number }) => ({ name, number }));
}

function rowOf(hart: CsrHart, number: number): CsrRow | undefined {
  const row = rowsByNumber.get(number);
  return row?.needs === 'interrupt files' && hart.interruptFiles === undefined ? undefined : row;
}

/** The two highest bits of a number say read-only, the next two the least mode. [RISC-V priv. 2.1] */
function isReadOnly(number: number): boolean {
  return number >> 10 === 3;
}

/** Serves an instruction; the operand comes in `scratch` and the value read goes there. Returns a `csrOutcome`. */
export function accessCsr(hart: CsrHart, number: number, change: number): number {
  const row = rowOf(hart, number);
  const writes = (change & csrFlag.writes) !== 0;
  if (row === undefined || hart.state.getWord('mode') < ((number >> 8) & 3)) return csrOutcome.illegal;
  if (row.permits?.(hart) === false || (writes && isReadOnly(number))) return csrOutcome.illegal;
  const operand = hart.state.get('scratch');
  const old = row.read(hart);
  if (writes) {
    const modified = row.modifies?.(hart) ?? old;
    const kind = change & 3;
    row.write?.(
      hart,
      kind === csrChange.write ? operand : kind === csrChange.set ? modified | operand : modified & ~operand,
    );
  }
  hart.state.set('scratch', old);
  return writes ? csrOutcome.changed : csrOutcome.done;
}

export function peekCsr(hart: CsrHart, number: number): bigint | undefined {
  return rowOf(hart, number)?.read(hart);
}

export function pokeCsr(hart: CsrHart, number: number, value: bigint): boolean {
  const row = rowOf(hart, number);
  if (row === undefined || isReadOnly(number)) return false;
  row.write?.(hart, BigInt.asUintN(64, value));
  return true;
}

/** Writes the descriptors from which generated code serves CSRs that are cells. */
export function writeDescriptors(memory: MachineMemory): void {
  let index = 0;
  for (const { number, direct } of csrRows) {
    if (direct === undefined) continue;
    index++;
    if (index >= csrDescriptor.capacity) throw new Error('more direct CSRs than descriptors');
    const at = csrDescriptor.base + index * csrDescriptor.strideBytes;
    memory.view.setUint8(csrIndex + number, index);
    memory.view.setUint32(at + csrDescriptor.cell, hartCell[direct.cell], true);
    memory.view.setUint32(at + csrDescriptor.effect, csrEffect[direct.effect], true);
    memory.view.setBigUint64(at + csrDescriptor.readMask, direct.readMask, true);
    memory.view.setBigUint64(at + csrDescriptor.writeMask, direct.writeMask, true);
    const maskCell = direct.maskCell === undefined ? 0 : hartCell[direct.maskCell];
    memory.view.setUint32(at + csrDescriptor.maskCell, maskCell, true);
    memory.view.setUint32(at + csrDescriptor.shift, direct.shift ?? 0, true);
  }
}
