// A hart's registers and cells in linear memory, for TypeScript.
import { type CellName, control, hartBase, hartCell } from './layout';

/** Words of linear memory that several parts look at. */
export class MachineMemory {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly cells: BigUint64Array;
  readonly view: DataView;

  constructor(readonly buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.cells = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
  }
  controlWord(name: 'budget' | 'reportTraps' | 'reservation' | 'breakpoints'): number {
    return this.words[control[name] >> 2] ?? 0;
  }
  setControlWord(name: 'budget' | 'reportTraps' | 'reservation' | 'breakpoints', value: number): void {
    this.words[control[name] >> 2] = value;
  }
  controlCell(name: 'budgetEnd' | 'reservationStep'): number {
    return Number(BigInt.asIntN(64, this.cells[control[name] >> 3] ?? 0n));
  }
  setControlCell(name: 'budgetEnd' | 'reservationStep', value: number): void {
    this.cells[control[name] >> 3] = BigInt.asUintN(64, BigInt(value));
  }
}

export class HartState {
  readonly base: number;

  constructor(
    readonly memory: MachineMemory,
    readonly index: number,
  ) {
    this.base = hartBase(index);
  }
  get(name: CellName): bigint {
    return this.at(hartCell[name]);
  }
  set(name: CellName, value: bigint): void {
    this.put(hartCell[name], value);
  }
  /** The low half of a cell, as a signed number. */
  getWord(name: CellName): number {
    return this.memory.words[(this.base + hartCell[name]) >> 2] ?? 0;
  }
  /** The cell at an offset from the hart. */
  at(offset: number): bigint {
    return this.memory.cells[(this.base + offset) >> 3] ?? 0n;
  }
  put(offset: number, value: bigint): void {
    this.memory.cells[(this.base + offset) >> 3] = BigInt.asUintN(64, value);
  }
  x(register: number): bigint {
    return this.at(hartCell.x + register * 8);
  }
  setX(register: number, value: bigint): void {
    if (register !== 0) this.put(hartCell.x + register * 8, value);
  }
  f(register: number): bigint {
    return this.at(hartCell.f + register * 8);
  }
  setF(register: number, value: bigint): void {
    this.put(hartCell.f + register * 8, value);
  }
}
