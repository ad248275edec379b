// The interpreter function's locals and labels, which all handlers share.
import { type CodeWriter, type Expression, load, op } from '../../wasm/code';
import type { Label, Local } from '../../wasm/function';
import type { FloatOperation } from '../float';
import { control, slotRegion } from '../layout';
import { setCell } from '../system/context';
import type { AccessFunctions } from '../system/access';
import type { FetchFunctions } from '../system/fetch';
import type { ImportedFunctions } from '../system/imports';
import type { TranslationFunctions } from '../system/translate';
import type { TrapFunctions } from '../system/trap';

export interface SystemFunctions {
  readonly imports: ImportedFunctions;
  readonly translation: TranslationFunctions;
  readonly traps: TrapFunctions;
  readonly access: AccessFunctions;
  readonly fetch: FetchFunctions;
  readonly csr: number;
  readonly fence: number;
  readonly multiplyHigh: number;
  readonly float: Readonly<Record<FloatOperation, number>>;
  /** Signature of compiled regions, where there is a compiler. */
  readonly region: number | undefined;
}

export interface FrameLabels {
  /** Executes the record that `record` points to. */
  readonly dispatch: Label;
  /** Fetches from `pc`. */
  readonly refetch: Label;
  /** Looks for interrupts, then fetches from `pc`. */
  readonly boundary: Label;
  /** Acts on `status`, an outcome other than done. */
  readonly leave: Label;
  /** Returns `exit` with `pc`. */
  readonly exit: Label;
}

export class Frame {
  readonly record: Local;
  /** Record of the page's first halfword. */
  readonly slot: Local;
  /** Virtual address of the page that `slot` belongs to. */
  readonly page: Local;
  readonly pc: Local;
  readonly budget: Local;
  readonly dataTables: Local;
  readonly status: Local;
  /** Handler number of the current record, with its entry number. */
  readonly handler: Local;
  readonly exit: Local;
  /** What a fetch outside a slot wants: 0 nothing, 1 a loose record, 2 the same past a breakpoint. */
  readonly loose: Local;
  private readonly pool: Local[] = [];
  private taken = 0;

  constructor(
    readonly c: CodeWriter,
    readonly hart: Local,
    readonly functions: SystemFunctions,
  ) {
    this.record = c.local('i32');
    this.slot = c.local('i32');
    this.page = c.local('i64');
    this.pc = c.local('i64');
    this.budget = c.local('i32');
    this.dataTables = c.local('i32');
    this.status = c.local('i32');
    this.handler = c.local('i32');
    this.exit = c.local('i32');
    this.loose = c.local('i32');
  }

  /** A local for the current handler; all handlers share one pool. */
  take(type: 'i32' | 'i64'): Local {
    for (; this.taken < this.pool.length; this.taken++) {
      const local = this.pool[this.taken];
      if (local?.type === type) {
        this.taken++;
        return local;
      }
    }
    const local = this.c.local(type);
    this.pool.push(local);
    this.taken = this.pool.length;
    return local;
  }
  releaseAll(): void {
    this.taken = 0;
  }

  /** Control arrived at `record` by a jump: after enough of them the page is compiled. */
  countArrival(): void {
    const { c, slot, functions } = this;
    if (functions.region === undefined) return;
    c.store('i32.store', slot, op('i32.sub', load('i32.load', slot, slotRegion.heat), 1), slotRegion.heat);
    c.when(op('i32.eqz', load('i32.load', slot, slotRegion.heat)), () =>
      c.call(functions.imports.compileHot, this.hart, slot, this.record, this.page),
    );
  }

  /** Address of the instruction that `record` stands for. */
  currentPc(): Expression {
    const distance = op('i32.shr_u', op('i32.sub', this.record, this.slot), 3);
    return op('i64.add', this.page, op('i64.extend_i32_u', distance));
  }

  /** Makes pc and step visible outside the function. */
  publish(): void {
    this.c.store('i32.store', 0, this.budget, control.budget);
    setCell(this.c, this.hart, 'pc', this.currentPc());
  }
  /** The environment may have shortened the budget. */
  reloadBudget(): void {
    this.c.set(this.budget, load('i32.load', 0, control.budget));
  }
}
