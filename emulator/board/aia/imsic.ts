// An incoming MSI controller: for each hart the interrupt file of one level, a page that takes messages and registers that the hart reaches
// through its CSRs. [RISC-V AIA 1.0, 3] Follows QEMU where the specification leaves a choice: 255 identities, little-endian messages only.
// Guarantees: identity 0 is never pending; what a hart's wire shows always follows from its file.
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../../bus/access';
import type { InterruptLevel } from '../../cpu/contract';
import type { BoardContext } from '../contract';
import type { MapEntry } from '../memory-map';
import { type Register, RegisterBank } from '../registers';

/** Identities are 1 to this. */
export const interruptIdentities = 255;
const words = (interruptIdentities + 1) / 32;
/** Bytes of a file's page. */
export const interruptFileBytes = 0x1000;

interface InterruptFile {
  delivery: number;
  threshold: number;
  /** One bit for each identity. */
  readonly pending: Uint32Array;
  readonly enabled: Uint32Array;
  /** What the wire to the hart shows. */
  level: boolean;
}

/** Registers that a hart selects; those of a row follow each other at every second value, 64 bits each. [AIA 3.8] */
interface FileRegister {
  readonly select: number;
  readonly name: string;
  readonly count: number;
  readonly read: (file: InterruptFile, index: number) => bigint;
  readonly write: (file: InterruptFile, index: number, value: bigint) => void;
}

const bitsRow = (select: number, name: string, of: 'pending' | 'enabled'): FileRegister => ({
  ...{ select, name, count: words / 2 },
  read: (file, index) => (BigInt(file[of][index * 2 + 1] ?? 0) << 32n) | BigInt(file[of][index * 2] ?? 0),
  write: (file, index, value) => {
    // There is no identity 0.
    file[of][index * 2] = Number(value & 0xffff_ffffn) & (index === 0 ? ~1 : ~0);
    file[of][index * 2 + 1] = Number((value >> 32n) & 0xffff_ffffn);
  },
});
const fileRegisters: readonly FileRegister[] = [
  {
    ...{ select: 0x70, name: 'eidelivery', count: 1 },
    read: ({ delivery }) => BigInt(delivery),
    write: (file, _index, value) => void (file.delivery = Number(value & 1n)),
  },
  {
    ...{ select: 0x72, name: 'eithreshold', count: 1 },
    read: ({ threshold }) => BigInt(threshold),
    write: (file, _index, value) => void (file.threshold = Number(value & 0x7ffn)),
  },
  bitsRow(0x80, 'eip', 'pending'),
  bitsRow(0xc0, 'eie', 'enabled'),
];

/** The pages: a store of an identity makes it pending; everything else reads as 0. [AIA 3.5] */
const pageRegisters = (harts: number): readonly Register<Imsic>[] => [
  {
    ...{ offset: 0, name: 'seteipnum_le of hart', count: harts, strideBytes: interruptFileBytes },
    write: (imsic, value, hart) => imsic.signal(hart, value),
  },
];

export class Imsic implements MmioRegion, Stateful {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
  private readonly files: readonly InterruptFile[];
  private readonly bank: RegisterBank<Imsic>;

  /** @param claimed hears which identity a hart takes */
  constructor(
    private readonly interruptLevel: InterruptLevel,
    { base }: MapEntry,
    private readonly context: BoardContext,
    private readonly claimed: (hart: number, identity: number) => void,
  ) {
    this.name = interruptLevel === 'M' ? 'IMSIC of machine level' : 'IMSIC of supervisor level';
    this.base = base;
    this.sizeBytes = context.harts * interruptFileBytes;
    this.files = Array.from({ length: context.harts }, () => ({
      ...{ delivery: 0, threshold: 0, level: false },
      pending: new Uint32Array(words),
      enabled: new Uint32Array(words),
    }));
    this.bank = new RegisterBank<Imsic>(pageRegisters(context.harts), { widths: [4], valueBits: 32 });
  }

  read(offset: number, size: AccessSize): bigint | undefined {
    return this.bank.read(this, offset, size);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    return this.bank.peek(this, offset, size);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    return this.bank.write(this, offset, size, value);
  }

  /** A message arrives. Identities that do not exist are ignored. */
  signal(hart: number, identity: number): void {
    const file = this.files[hart];
    if (file === undefined || identity < 1 || identity > interruptIdentities) return;
    file.pending[identity >> 5] = (file.pending[identity >> 5] ?? 0) | (1 << (identity & 31));
    this.update(hart, file);
  }

  /** Lowest identity that is pending, enabled and below the threshold, if there is one; 0 for none. [AIA 3.8.2] */
  top(hart: number): number {
    const file = this.files[hart];
    if (file === undefined) return 0;
    for (let word = 0; word < words; word++) {
      const ready = (file.pending[word] ?? 0) & (file.enabled[word] ?? 0);
      if (ready === 0) continue;
      const identity = word * 32 + 31 - Math.clz32(ready & -ready);
      return file.threshold === 0 || identity < file.threshold ? identity : 0;
    }
    return 0;
  }
  claim(hart: number): void {
    const file = this.files[hart];
    const identity = this.top(hart);
    if (file === undefined || identity === 0) return;
    file.pending[identity >> 5] = (file.pending[identity >> 5] ?? 0) & ~(1 << (identity & 31));
    this.update(hart, file);
    this.claimed(hart, identity);
  }

  /** Undefined where the value selects no register. */
  readSelected(hart: number, select: number): bigint | undefined {
    const file = this.files[hart];
    const found = this.find(select);
    return file === undefined || found === undefined ? undefined : found.row.read(file, found.index);
  }
  writeSelected(hart: number, select: number, value: bigint): void {
    const file = this.files[hart];
    const found = this.find(select);
    if (file === undefined || found === undefined) return;
    found.row.write(file, found.index, value);
    this.update(hart, file);
  }

  reset(): void {
    this.files.forEach((file, hart) => {
      file.delivery = 0;
      file.threshold = 0;
      file.pending.fill(0);
      file.enabled.fill(0);
      this.update(hart, file);
    });
  }
  save(): SavedState {
    return this.files.map((file) => ({ ...file, pending: file.pending.slice(), enabled: file.enabled.slice() }));
  }
  /** The levels at the harts are restored by the processor. */
  restore(state: SavedState): void {
    const saved = state as readonly InterruptFile[];
    this.files.forEach((file, hart) => {
      const from = saved[hart];
      if (from === undefined) return;
      file.pending.set(from.pending);
      file.enabled.set(from.enabled);
      Object.assign(file, { delivery: from.delivery, threshold: from.threshold, level: from.level });
    });
  }

  private find(select: number): { readonly row: FileRegister; readonly index: number } | undefined {
    for (const row of fileRegisters) {
      const index = (select - row.select) / 2;
      if (Number.isInteger(index) && index >= 0 && index < row.count) return { row, index };
    }
    return undefined;
  }

  private update(hart: number, file: InterruptFile): void {
    const level = file.delivery === 1 && this.top(hart) !== 0;
    if (level === file.level) return;
    file.level = level;
    this.context.setInterrupt(hart, this.interruptLevel === 'M' ? 'MEIP' : 'SEIP', level);
  }
}
