// Typed expressions and statements over FunctionWriter, so that emitted code reads like the formula it computes.
// Guarantees: an expression writes its code each time it is used and leaves exactly one value; nothing is evaluated early.
import type { FunctionWriter, Label, Likelihood, Local } from './function';
import type { ModuleWriter } from './module';
import type { Instruction, LoadInstruction, StoreInstruction, ValueType } from './opcodes';

export interface Expression {
  readonly type: ValueType;
  emit(f: FunctionWriter): void;
}

/** A number is an i32 constant, a bigint an i64 constant, a local is read. */
export type Operand = Expression | Local | number | bigint;

export function expression(operand: Operand): Expression {
  if (typeof operand === 'number') return { type: 'i32', emit: (f) => void f.i32(operand) };
  if (typeof operand === 'bigint') return { type: 'i64', emit: (f) => void f.i64(operand) };
  if ('emit' in operand) return operand;
  return { type: operand.type, emit: (f) => void f.get(operand) };
}

const resultTypes = new Map<Instruction | LoadInstruction, ValueType>();

/** Types are the first part of an instruction's name, except that a comparison gives an i32. */
function resultType(name: Instruction | LoadInstruction): ValueType {
  let type = resultTypes.get(name);
  if (type === undefined) {
    type = /\.(eqz|eq|ne|[lg][te])(_[su])?$/.test(name) ? 'i32' : typeIn(name);
    resultTypes.set(name, type);
  }
  return type;
}
function typeIn(name: string): ValueType {
  const type = name.slice(0, 3);
  if (type === 'i32' || type === 'i64' || type === 'f32' || type === 'f64') return type;
  throw new Error(`${name} has no result type of its own`);
}

/** An instruction applied to its operands. */
export function op(name: Instruction, ...operands: readonly Operand[]): Expression {
  const parts = operands.map(expression);
  return {
    type: resultType(name),
    emit: (f) => {
      for (const part of parts) part.emit(f);
      f.op(name);
    },
  };
}

/** `condition` (an i32) decides between two values, both of which are evaluated. */
export function select(condition: Operand, whenTrue: Operand, whenFalse: Operand): Expression {
  const parts = [whenTrue, whenFalse, condition].map(expression);
  return {
    type: expression(whenTrue).type,
    emit: (f) => {
      for (const part of parts) part.emit(f);
      f.op('select');
    },
  };
}

/** A load from linear memory; `offset` in bytes. */
export function load(name: LoadInstruction, address: Operand, offset = 0): Expression {
  const from = expression(address);
  return {
    type: resultType(name),
    emit: (f) => {
      from.emit(f);
      f.load(name, offset);
    },
  };
}

/** The single result of a call. */
export function call(functionIndex: number, type: ValueType, ...operands: readonly Operand[]): Expression {
  const parts = operands.map(expression);
  return {
    type,
    emit: (f) => {
      for (const part of parts) part.emit(f);
      f.call(functionIndex);
    },
  };
}

/** Statements of one function, in order. */
export class CodeWriter {
  constructor(readonly f: FunctionWriter) {}

  local(type: ValueType): Local {
    return this.f.local(type);
  }
  parameter(position: number): Local {
    return this.f.parameter(position);
  }
  set(local: Local, value: Operand): void {
    expression(value).emit(this.f);
    this.f.set(local);
  }
  /** A new local that holds the value from here on. */
  keep(value: Operand): Local {
    const source = expression(value);
    const local = this.f.local(source.type);
    this.set(local, source);
    return local;
  }
  store(name: StoreInstruction, address: Operand, value: Operand, offset = 0): void {
    expression(address).emit(this.f);
    expression(value).emit(this.f);
    this.f.store(name, offset);
  }
  /** A call without a result. */
  call(functionIndex: number, ...operands: readonly Operand[]): void {
    for (const operand of operands) expression(operand).emit(this.f);
    this.f.call(functionIndex);
  }
  /** `memory.fill`: destination, byte value, length in bytes. */
  fill(destination: Operand, value: Operand, lengthBytes: Operand): void {
    for (const operand of [destination, value, lengthBytes]) expression(operand).emit(this.f);
    this.f.memoryFill();
  }
  when(condition: Operand, then: () => void, otherwise?: () => void, likelihood?: Likelihood): void {
    expression(condition).emit(this.f);
    this.f.if(undefined, likelihood);
    then();
    if (otherwise !== undefined) {
      this.f.else();
      otherwise();
    }
    this.f.end();
  }
  /** What hardly ever happens, so that the host may keep it out of the way. */
  rarely(condition: Operand, then: () => void): void {
    this.when(condition, then, undefined, 'not taken');
  }
  block(body: (end: Label) => void): void {
    const label = this.f.block();
    body(label);
    this.f.end();
  }
  loop(body: (again: Label) => void): void {
    const label = this.f.loop();
    body(label);
    this.f.end();
  }
  br(label: Label): void {
    this.f.br(label);
  }
  brIf(label: Label, condition: Operand, likelihood?: Likelihood): void {
    expression(condition).emit(this.f);
    this.f.brIf(label, likelihood);
  }
  return(value?: Operand): void {
    if (value !== undefined) expression(value).emit(this.f);
    this.f.return();
  }
  /** Leaves a value as the function's result at its end. */
  result(value: Operand): void {
    expression(value).emit(this.f);
  }
}

/** Declares a function and writes its body with its parameters at hand; returns its index. */
export function defineFunction<const P extends readonly ValueType[]>(
  module: ModuleWriter,
  parameters: P,
  results: readonly ValueType[],
  body: (c: CodeWriter, ...parameters: { [K in keyof P]: Local }) => void,
  exportAs?: string,
): number {
  const f = module.function(parameters, results, exportAs);
  // A mapped tuple type cannot be built without saying so.
  const locals = parameters.map((_, position) => f.parameter(position)) as { [K in keyof P]: Local };
  body(new CodeWriter(f), ...locals);
  return f.index;
}
