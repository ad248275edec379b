// A bank of registers as a table: reads, writes, peeks and the names shown to people come from the rows.
// Guarantees: whatever offset and width arrive, exactly the row that begins at the offset is concerned, or none.
import type { AccessSize } from '../bus/access';

/** One register, or `count` equal ones `strideBytes` apart. Values are unsigned and at most 32 bits wide. */
export interface Register<Device> {
  readonly offset: number;
  readonly name: string;
  readonly count?: number;
  readonly strideBytes?: number;
  /** Absent: reads as 0. */
  readonly read?: (device: Device, index: number) => number;
  /** What a read would give, where reading has an effect. */
  readonly peek?: (device: Device, index: number) => number;
  /** Absent: writes are ignored. */
  readonly write?: (device: Device, value: number, index: number) => void;
}

export interface RegisterRules {
  /** Widths that the device answers; others are access faults. */
  readonly widths: readonly AccessSize[];
  /** How much of a written value a register sees. */
  readonly valueBits: 8 | 32;
}

export class RegisterBank<Device> {
  constructor(
    readonly rows: readonly Register<Device>[],
    private readonly rules: RegisterRules,
  ) {}

  read(device: Device, offset: number, size: AccessSize): bigint | undefined {
    if (!this.rules.widths.includes(size)) return undefined;
    const found = this.find(offset);
    return this.shown(found?.row.read?.(device, found.index), size);
  }

  peek(device: Device, offset: number, size: AccessSize): bigint | undefined {
    if (!this.rules.widths.includes(size)) return undefined;
    const found = this.find(offset);
    if (found === undefined) return 0n;
    const look = found.row.peek ?? found.row.read;
    return this.shown(look?.(device, found.index), size);
  }

  write(device: Device, offset: number, size: AccessSize, value: bigint): boolean {
    if (!this.rules.widths.includes(size)) return false;
    const found = this.find(offset);
    found?.row.write?.(device, Number(BigInt.asUintN(this.rules.valueBits, value)), found.index);
    return true;
  }

  /** The register's name, with its index where there are several; undefined where there is none. */
  nameAt(offset: number): string | undefined {
    const found = this.find(offset);
    if (found === undefined) return undefined;
    return found.row.count === undefined ? found.row.name : `${found.row.name}[${found.index}]`;
  }

  private find(offset: number): { row: Register<Device>; index: number } | undefined {
    for (const row of this.rows) {
      if (offset === row.offset) return { row, index: 0 };
      if (row.count === undefined || offset < row.offset) continue;
      const stride = row.strideBytes ?? 4;
      const index = (offset - row.offset) / stride;
      if (Number.isInteger(index) && index < row.count) return { row, index };
    }
    return undefined;
  }

  private shown(value: number | undefined, size: AccessSize): bigint {
    return BigInt.asUintN(size * 8, BigInt(value ?? 0));
  }
}
