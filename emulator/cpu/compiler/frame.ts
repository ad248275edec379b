// Locals and exits of one compiled region.
import { CodeWriter, type Expression, expression, load, op, type Operand } from '../../wasm/code';
import { FunctionWriter, type Local } from '../../wasm/function';
import type { ValueType } from '../../wasm/opcodes';
import type { FloatOperation } from '../float';
import { control, hartCell } from '../layout';
import type { RegisterMask } from './liveness';

/** Functions of the processor's module that a region may import. */
export type RegionImport = 'reach' | 'secondHalf' | 'chain' | 'csrAccess' | 'fence' | 'multiplyHigh' | FloatOperation;

const signatures = {
  reach: [['i32', 'i64', 'i32', 'i32'], ['i32']],
  secondHalf: [['i32', 'i64'], ['i32']],
  chain: [['i32', 'i64', 'i32'], ['i32']],
  csrAccess: [['i32', 'i32', 'i32', 'i64'], ['i32']],
  fence: [['i32', 'i32', 'i32', 'i32'], []],
  multiplyHigh: [['i64', 'i64'], ['i64']],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

/** Bits of fcsr. [RISC-V unpriv. 20.2] */
const inexact = 1;
const roundingAndInexact = 0xe0 | inexact;

export interface RegisterSets {
  readonly x: ReadonlySet<number>;
  readonly f: ReadonlySet<number>;
  /** Those of `f` that hold doubles, mostly. */
  readonly doubles: ReadonlySet<number>;
}

export const regionParameters = ['i32', 'i32', 'i64', 'i32'] as const;
export const regionResults = ['i32'] as const;
/** Regions of a machine at most, and the one index that stands for none. */
export const regionTableSize = 0x4000;

/** Added to the budget that a region returns when the hart must look around before it goes on. */
export const boundaryBit = 0x4000_0000;

interface RegionFunction {
  readonly name: RegionImport;
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** What the regions of one module import. */
export class RegionImports {
  /** In the order of their indices. */
  readonly functions: RegionFunction[] = [];

  /** The index of an imported function. */
  index(name: RegionImport): number {
    const index = this.functions.findIndex((entry) => entry.name === name);
    if (index >= 0) return index;
    this.functions.push({ name, ...this.signature(name) });
    return this.functions.length - 1;
  }
  private signature(name: RegionImport): Omit<RegionFunction, 'name'> {
    if (name in signatures) {
      const [parameters, results] = signatures[name as keyof typeof signatures];
      return { parameters, results };
    }
    const operands = /^fn?m(add|sub)\./.test(name)
      ? 3
      : /^f(add|sub|mul|div|minm?|maxm?|eq|ltq?|leq?)\./.test(name)
        ? 2
        : 1;
    return { parameters: ['i32', 'i32', ...Array<'i64'>(operands).fill('i64')], results: ['i64'] };
  }
}

/**
 * A region is a function (hart, entry, page, budget) -> budget left. `page` is the virtual address of its page; pc is left in the
 * hart. When an instruction is left to the interpreter, the result is the complement of the budget and pc is on it.
 */
export class RegionFrame {
  readonly f = new FunctionWriter(0, regionParameters, regionResults);
  readonly c = new CodeWriter(this.f);
  readonly hart = this.f.parameter(0);
  /** Where to go: an entry's or a join's number, 0 where that is settled. */
  readonly target = this.f.parameter(1);
  readonly page = this.f.parameter(2);
  readonly budget = this.f.parameter(3);
  readonly tables = this.f.local('i32');
  /** Whether the host may round: to nearest, and NX is set. */
  readonly fastFloat = this.f.local('i32');
  private readonly x = new Map<number, Local>();
  private readonly float = new Map<number, Local>();
  private readonly pool: Local[] = [];
  private taken = 0;

  /** @param registers all that the region uses */
  constructor(
    registers: RegisterSets,
    private readonly imports: RegionImports,
  ) {
    for (const register of registers.x) this.x.set(register, this.f.local('i64'));
    for (const register of registers.f) {
      this.float.set(register, this.f.local(registers.doubles.has(register) ? 'f64' : 'i64'));
    }
  }

  /** Looks at rounding mode and NX: after every change of them. */
  judgeFloat(): void {
    const { f, hart } = this;
    f.get(hart).load('i32.load', hartCell.fcsr);
    f.i32(roundingAndInexact).op('i32.and').i32(inexact).op('i32.eq').set(this.fastFloat);
  }

  xLocal(register: number): Local {
    return known(this.x.get(register), register);
  }
  fLocal(register: number): Local {
    return known(this.float.get(register), register);
  }

  /** The index of an imported function. */
  import(name: RegionImport): number {
    return this.imports.index(name);
  }

  take(type: ValueType): Local {
    for (; this.taken < this.pool.length; this.taken++) {
      const local = this.pool[this.taken];
      if (local?.type === type) {
        this.taken++;
        return local;
      }
    }
    const local = this.f.local(type);
    this.pool.push(local);
    this.taken = this.pool.length;
    return local;
  }
  releaseAll(): void {
    this.taken = 0;
  }

  pcAt(offset: number): Expression {
    return offset === 0 ? expression(this.page) : op('i64.add', this.page, BigInt(offset));
  }

  /** Leaves the instruction at an offset to the interpreter; so many instructions of the block are not executed. */
  bail(offset: number, notExecuted: number, newer: RegisterMask): void {
    const { c, hart, budget } = this;
    this.update(newer);
    c.store('i64.store', hart, this.pcAt(offset), hartCell.pc);
    c.return(op('i32.xor', op('i32.add', budget, notExecuted), -1));
  }
  /** Goes on at an address outside the region. */
  exit(pc: Operand, newer: RegisterMask): void {
    const { f } = this;
    this.update(newer);
    f.get(this.hart);
    expression(pc).emit(f);
    f.get(this.budget).returnCall(this.import('chain'));
  }
  /** Goes on at an offset in the interpreter, which looks for interrupts first; the budget is in its control word. */
  boundary(offset: number, newer: RegisterMask): void {
    const { c } = this;
    this.update(newer);
    c.store('i64.store', this.hart, this.pcAt(offset), hartCell.pc);
    c.return(op('i32.or', load('i32.load', 0, control.budget), boundaryBit));
  }

  /** Brings the hart up to date with locals that are newer. */
  update(newer: RegisterMask): void {
    const { c, hart } = this;
    for (let register = 0; register < 32; register++) {
      if ((newer.x & (1 << register)) !== 0) {
        c.store('i64.store', hart, this.xLocal(register), hartCell.x + register * 8);
      }
      if ((newer.f & (1 << register)) !== 0) {
        const local = this.fLocal(register);
        c.store(local.type === 'f64' ? 'f64.store' : 'i64.store', hart, local, hartCell.f + register * 8);
      }
    }
  }
  /** Loads locals from the hart. */
  fetch(registers: RegisterMask): void {
    const { f, hart } = this;
    for (let register = 0; register < 32; register++) {
      if ((registers.x & (1 << register)) !== 0) {
        f.get(hart)
          .load('i64.load', hartCell.x + register * 8)
          .set(this.xLocal(register));
      }
      if ((registers.f & (1 << register)) !== 0) {
        const local = this.fLocal(register);
        f.get(hart)
          .load(local.type === 'f64' ? 'f64.load' : 'i64.load', hartCell.f + register * 8)
          .set(local);
      }
    }
  }

  /** Writes the whole function around `body`, which never ends by itself. */
  write(body: () => void): void {
    const { c, f, hart } = this;
    c.set(this.tables, load('i32.load', hart, hartCell.dataTranslations));
    if (this.float.size > 0) this.judgeFloat();
    body();
    f.op('unreachable');
  }
}

function known<T>(value: T | undefined, what: number | string): T {
  if (value === undefined) throw new Error(`the region has no local or label for ${what}`);
  return value;
}
