// Writes the body of one WebAssembly function, instruction by instruction. [WebAssembly core 2.0, 5.4]
// Guarantees: every `block`, `loop` and `if` is closed before the body is taken; labels are resolved to depths here.
import { ByteWriter } from './bytes';
import {
  opcode,
  type Instruction,
  type LoadInstruction,
  type StoreInstruction,
  type ValueType,
  valueType,
} from './opcodes';

/** A local variable or parameter of one function. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

/** What a conditional branch does nearly always; hosts that know it keep the other way out of the way. */
export type Likelihood = 'taken' | 'not taken';

/** Branch hints of one function, by the offset of the branch in the function's body. */
export type BranchHints = readonly (readonly [offset: number, likelihood: Likelihood])[];

/** The target of a branch: the end of a block or `if`, the start of a loop. */
export interface Label {
  readonly level: number;
}

export class FunctionWriter {
  private readonly code = new ByteWriter(4096);
  private readonly locals: ValueType[] = [];
  private readonly hinted: [offset: number, likelihood: Likelihood][] = [];
  private depth = 0;

  constructor(
    /** Index in the module's function space, imports included. */
    readonly index: number,
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
  ) {}

  /** Bytes of code written so far. */
  get sizeBytes(): number {
    return this.code.length;
  }

  parameter(position: number): Local {
    const type = this.parameters[position];
    if (type === undefined) throw new RangeError(`parameter ${position} of ${this.parameters.length}`);
    return { index: position, type };
  }

  local(type: ValueType): Local {
    this.locals.push(type);
    return { index: this.parameters.length + this.locals.length - 1, type };
  }

  get(local: Local): this {
    this.code.byte(0x20).unsigned(local.index);
    return this;
  }
  set(local: Local): this {
    this.code.byte(0x21).unsigned(local.index);
    return this;
  }
  tee(local: Local): this {
    this.code.byte(0x22).unsigned(local.index);
    return this;
  }
  globalGet(index: number): this {
    this.code.byte(0x23).unsigned(index);
    return this;
  }
  globalSet(index: number): this {
    this.code.byte(0x24).unsigned(index);
    return this;
  }

  i32(value: number): this {
    this.code.byte(0x41).signed32(value);
    return this;
  }
  i64(value: bigint | number): this {
    this.code.byte(0x42).signed64(BigInt(value));
    return this;
  }
  f32(value: number): this {
    this.code.byte(0x43).float32(value);
    return this;
  }
  f64(value: number): this {
    this.code.byte(0x44).float64(value);
    return this;
  }

  /** One or more instructions without immediates. */
  op(...names: readonly Instruction[]): this {
    for (const name of names) {
      const code = opcode[name];
      if (code > 0xffff) this.code.byte(code >>> 16).unsigned(code & 0xffff);
      else if (code > 0xff) this.code.byte(code >>> 8).unsigned(code & 0xff);
      else this.code.byte(code);
    }
    return this;
  }

  /** The first lane of the vector on the stack. */
  firstLane(type: 'f32' | 'f64'): this {
    this.code
      .byte(0xfd)
      .unsigned(type === 'f32' ? 0x1f : 0x21)
      .byte(0);
    return this;
  }

  /** Address on the stack; `offset` in bytes. Alignment is a hint only, so the natural one is never promised. */
  load(name: LoadInstruction, offset = 0): this {
    this.code.byte(opcode[name]).unsigned(0).unsigned(offset);
    return this;
  }
  /** Address, then value on the stack; `offset` in bytes. */
  store(name: StoreInstruction, offset = 0): this {
    this.code.byte(opcode[name]).unsigned(0).unsigned(offset);
    return this;
  }
  /** Destination, value, byte count on the stack. [5.4.6] */
  memoryFill(): this {
    this.code.byte(0xfc).unsigned(11).byte(0);
    return this;
  }
  /** Destination, source, byte count on the stack. */
  memoryCopy(): this {
    this.code.byte(0xfc).unsigned(10).byte(0).byte(0);
    return this;
  }

  block(result?: ValueType): Label {
    return this.open(0x02, result);
  }
  loop(result?: ValueType): Label {
    return this.open(0x03, result);
  }
  if(result?: ValueType, likelihood?: Likelihood): Label {
    this.hint(likelihood);
    return this.open(0x04, result);
  }
  else(): this {
    this.code.byte(0x05);
    return this;
  }
  end(): this {
    if (this.depth === 0) throw new Error('end without an open block');
    this.depth--;
    this.code.byte(0x0b);
    return this;
  }
  br(label: Label): this {
    this.code.byte(0x0c).unsigned(this.distance(label));
    return this;
  }
  brIf(label: Label, likelihood?: Likelihood): this {
    this.hint(likelihood);
    this.code.byte(0x0d).unsigned(this.distance(label));
    return this;
  }
  brTable(labels: readonly Label[], otherwise: Label): this {
    this.code.byte(0x0e).unsigned(labels.length);
    for (const label of labels) this.code.unsigned(this.distance(label));
    this.code.unsigned(this.distance(otherwise));
    return this;
  }
  return(): this {
    this.code.byte(0x0f);
    return this;
  }
  call(functionIndex: number): this {
    this.code.byte(0x10).unsigned(functionIndex);
    return this;
  }
  callIndirect(typeIndex: number, tableIndex = 0): this {
    this.code.byte(0x11).unsigned(typeIndex).unsigned(tableIndex);
    return this;
  }

  /** Calls in this function's place. [WebAssembly core 3.0, tail calls] */
  returnCall(functionIndex: number): this {
    this.code.byte(0x12).unsigned(functionIndex);
    return this;
  }
  returnCallIndirect(typeIndex: number, tableIndex = 0): this {
    this.code.byte(0x13).unsigned(typeIndex).unsigned(tableIndex);
    return this;
  }

  /** Offsets count from the first byte of what `finish` gives, as branch hints do. */
  hints(): BranchHints {
    const before = this.declarations().length;
    return this.hinted.map(([offset, likelihood]) => [before + offset, likelihood]);
  }

  /** The function's entry in the code section: locals, then the expression. */
  finish(): Uint8Array {
    if (this.depth !== 0) throw new Error(`${this.depth} blocks left open`);
    return this.declarations().bytes(this.code.take()).byte(0x0b).take();
  }

  private declarations(): ByteWriter {
    const body = new ByteWriter();
    const groups: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = groups.at(-1);
      if (last?.type === type) last.count++;
      else groups.push({ type, count: 1 });
    }
    body.unsigned(groups.length);
    for (const { type, count } of groups) body.unsigned(count).byte(valueType[type]);
    return body;
  }
  private hint(likelihood: Likelihood | undefined): void {
    if (likelihood !== undefined) this.hinted.push([this.code.length, likelihood]);
  }

  private open(code: number, result: ValueType | undefined): Label {
    this.code.byte(code).byte(result === undefined ? 0x40 : valueType[result]);
    this.depth++;
    return { level: this.depth };
  }
  private distance(label: Label): number {
    const distance = this.depth - label.level;
    if (distance < 0) throw new Error('branch to a block that is closed');
    return distance;
  }
}
