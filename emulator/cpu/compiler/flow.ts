// What the compiler must know of an instruction before it writes code: where control goes and which registers it touches.
// It learns both from the instruction's meaning, so no encoding and no name is repeated here.
import type { DecodedInstruction } from '../decoder';
import type { FloatOperation } from '../float';
import type { FField, Meaning, XField } from '../instructions/meaning';

export interface Flow {
  /**
   * `next`: goes on behind itself. `branch`: there or to its target. `jump`: to its target. `indirect`: to a computed address.
   * `outside`: left to the interpreter.
   */
  readonly kind: 'next' | 'branch' | 'jump' | 'indirect' | 'outside';
  /** Keeps the address behind itself, so control is likely to come back there. */
  readonly links: boolean;
  readonly reads: readonly XField[];
  readonly readsFloat: readonly FField[];
  readonly writes: boolean;
  readonly writesFloat: boolean;
  /** Computes with doubles. */
  readonly isDouble: boolean;
}

const flows = new Map<DecodedInstruction['row'], Flow>();

export function flowOf({ row }: DecodedInstruction): Flow {
  let flow = flows.get(row);
  if (flow === undefined) {
    const meaning = new FlowMeaning();
    row.meaning(meaning);
    flow = meaning.flow();
    flows.set(row, flow);
  }
  return flow;
}

/** Values and conditions carry nothing: only the statements count. */
class FlowMeaning implements Meaning<null, null> {
  private kind: Flow['kind'] = 'next';
  private links = false;
  private readonly reads = new Set<XField>();
  private readonly readsFloat = new Set<FField>();
  private writes = false;
  private writesFloat = false;
  private isDouble = false;

  flow(): Flow {
    const { kind, links, writes, writesFloat, isDouble } = this;
    return { kind, links, writes, writesFloat, isDouble, reads: [...this.reads], readsFloat: [...this.readsFloat] };
  }

  x(field: XField): null {
    this.reads.add(field);
    return null;
  }
  setX(): void {
    this.writes = true;
  }
  f(field: FField): null {
    this.readsFloat.add(field);
    return null;
  }
  setF(): void {
    this.writesFloat = true;
  }
  number = (): null => null;
  constant = (): null => null;
  pc = (): null => null;
  nextPc(): null {
    this.links = true;
    return null;
  }
  keep = (): null => null;

  add = (): null => null;
  subtract = (): null => null;
  and = (): null => null;
  or = (): null => null;
  xor = (): null => null;
  shiftLeft = (): null => null;
  shiftRightLogical = (): null => null;
  shiftRightArithmetic = (): null => null;
  signExtend = (): null => null;
  zeroExtend = (): null => null;
  multiply = (): null => null;
  multiplyHighUnsigned = (): null => null;
  multiplyHighSigned = (): null => null;
  multiplyHighMixed = (): null => null;
  divideSigned = (): null => null;
  divideUnsigned = (): null => null;
  remainderSigned = (): null => null;
  remainderUnsigned = (): null => null;
  countLeadingZeros = (): null => null;
  countTrailingZeros = (): null => null;
  countOnes = (): null => null;
  rotateLeft = (): null => null;
  rotateRight = (): null => null;
  equal = (): null => null;
  notEqual = (): null => null;
  lessSigned = (): null => null;
  lessUnsigned = (): null => null;
  not = (): null => null;
  choose = (): null => null;
  bit = (): null => null;

  branch(): void {
    this.kind = 'branch';
  }
  jumpRelative(): void {
    this.kind = 'jump';
  }
  jump(): void {
    this.kind = 'indirect';
  }

  load = (): null => null;
  store(): void {}
  loadReserved = (): null => null;
  storeConditional = (): null => null;
  atomic = (_address: null, _bytes: 4 | 8, combine: (old: null) => null): null => combine(null);

  requireFloat(): void {}
  float(operation: FloatOperation): null {
    if (operation.endsWith('.d') || operation.startsWith('fcvt.d.')) this.isDouble = true;
    return null;
  }

  csr(): void {
    this.writes = true;
  }
  fence(): void {}
  fenceInstructions(): void {}
  fenceTranslations(): void {
    this.outside();
  }
  orderInvalidations(): void {
    this.outside();
  }
  cacheBlock(): void {
    this.outside();
  }
  environmentCall(): void {
    this.outside();
  }
  breakpoint(): void {
    this.outside();
  }
  returnFrom(): void {
    this.outside();
  }
  waitForInterrupt(): void {
    this.outside();
  }
  private outside(): null {
    this.kind = 'outside';
    return null;
  }
}
