// What the emitters of system code share: the layout, the imported functions, and shorthands for hart cells and guest RAM.
import { type CodeWriter, type Expression, load, op, type Operand, select } from '../../wasm/code';
import type { ModuleWriter } from '../../wasm/module';
import { type CellName, hartCell, type MemoryLayout } from '../layout';
import type { ImportedFunctions } from './imports';

export interface SystemContext {
  readonly module: ModuleWriter;
  readonly layout: MemoryLayout;
  readonly imports: ImportedFunctions;
}

/** The 64-bit cell of a hart. */
export function cell(hart: Operand, name: CellName): Expression {
  return load('i64.load', hart, hartCell[name]);
}
/** The low half of a cell, for modes, addresses in linear memory and counts. */
export function cell32(hart: Operand, name: CellName): Expression {
  return load('i32.load', hart, hartCell[name]);
}
export function setCell(c: CodeWriter, hart: Operand, name: CellName, value: Operand): void {
  c.store('i64.store', hart, value, hartCell[name]);
}
export function setCell32(c: CodeWriter, hart: Operand, name: CellName, value: Operand): void {
  c.store('i32.store', hart, value, hartCell[name]);
}

/** Offset of a physical address from the start of RAM: below `ramBytes`, unsigned, exactly where it lies in RAM. */
export function ramOffset(layout: MemoryLayout, physicalAddress: Operand): Expression {
  return op('i64.sub', physicalAddress, BigInt(layout.ramBase));
}
export function isInRam(layout: MemoryLayout, offset: Operand): Expression {
  return op('i64.lt_u', offset, BigInt(layout.ramBytes));
}
/** The flags byte of the page of a RAM offset (i32). */
export function pageFlags(layout: MemoryLayout, offset: Operand): Expression {
  return load('i32.load8_u', op('i32.shr_u', offset, 12), layout.pageFlags);
}

/** One of three causes, by access kind. */
export function causeOf(kind: Operand, load: number, store: number, fetch: number): Expression {
  return select(op('i32.eqz', kind), load, select(op('i32.eq', kind, 1), store, fetch));
}
