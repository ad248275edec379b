// Registers, variables and expressions of a machine that stands still. Handles to variables die when it moves.
import type { Machine } from '../../emulator/machine';
import { floatRegisterNames, integerRegisterNames } from '../../emulator/cpu/registers';
import type { RegisterGroup, RegisterValue, StackFrame as TargetFrame, Variable, VariableScope } from '../debug/target';
import type { StackFrame, Value } from '../symbols/contract';
import type { GuestSymbols } from './guest-symbols';
import { memoryReader, registersOf, writeVirtual } from './hart-registers';
import { stackFrame } from './violation-report';

const longestStack = 256;

export class FrameInspector {
  private readonly stacks = new Map<number, readonly StackFrame[]>();
  private readonly handles: ((start: number, count: number | undefined) => readonly Variable[])[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly symbols: GuestSymbols,
  ) {}

  /** Something was changed by hand: stacks are found anew, handles to variables stay. */
  refresh(): void {
    this.stacks.clear();
  }

  backtrace(hart: number, limit: number): readonly TargetFrame[] {
    return this.frames(hart)
      .slice(0, limit)
      .map((frame) => stackFrame(this.symbols, frame));
  }

  registers(hart: number, frame: number): readonly RegisterGroup[] {
    const { cpu } = this.machine;
    const file = this.frame(hart, frame).registers;
    const integer: RegisterValue[] = [{ name: 'pc', value: file.pc, bits: 64, detail: this.symbols.nameOf(file.pc) }];
    const lost = 'not saved by the function below';
    for (let index = 0; index < 32; index++) {
      const value = file.x(index);
      integer.push({
        name: integerRegisterNames[index] ?? '',
        value: value ?? 0n,
        bits: 64,
        ...(value === undefined && { detail: lost }),
      });
    }
    const floating = Array.from({ length: 32 }, (_, index): RegisterValue => {
      const value = frame === 0 ? cpu.readF(hart, index) : (file.f?.(index) ?? 0n);
      return { name: floatRegisterNames[index] ?? '', value, bits: 64, detail: floatText(value) };
    });
    const csrs = (low: number, high: number): RegisterValue[] =>
      cpu.csrs
        .filter(({ number }) => ((number >> 8) & 3) >= low && ((number >> 8) & 3) <= high)
        .flatMap(({ name, number }) => {
          const value = cpu.peekCsr(hart, number);
          return value === undefined ? [] : [{ name, value, bits: 64 as const }];
        });
    return [
      { name: 'Integer', registers: integer },
      { name: 'Floating point', registers: floating },
      { name: 'Supervisor CSRs', registers: csrs(1, 1) },
      { name: 'Machine CSRs', registers: csrs(3, 3) },
      { name: 'User CSRs', registers: csrs(0, 0) },
    ];
  }

  writeRegister(hart: number, name: string, value: bigint): void {
    const { machine } = this;
    const unsigned = BigInt.asUintN(64, value);
    if (name === 'pc') return void machine.change({ kind: 'pc', hart, value: unsigned });
    for (let index = 0; index < 32; index++) {
      if (name === integerRegisterNames[index] || name === `x${index}`) {
        if (index === 0) throw new Error('zero is always 0 and cannot be changed.');
        return void machine.change({ kind: 'x', hart, register: index, value: unsigned });
      }
      if (name === floatRegisterNames[index] || name === `f${index}`)
        return void machine.change({ kind: 'f', hart, register: index, value: unsigned });
    }
    const { cpu } = machine;
    const csr = cpu.csrs.find((one) => one.name === name);
    if (csr === undefined) throw new Error(`There is no register "${name}".`);
    // Tried with the value that it has: a refusal must not become an input.
    const present = cpu.peekCsr(hart, csr.number);
    if (present === undefined || !cpu.pokeCsr(hart, csr.number, present)) throw new Error(`${name} is read-only.`);
    machine.change({ kind: 'csr', hart, number: csr.number, value: unsigned });
  }

  scopes(hart: number, frame: number): readonly VariableScope[] {
    const place = this.frame(hart, frame);
    const titles = { parameters: 'Arguments', locals: 'Locals', globals: 'Globals' } as const;
    return (place.symbols?.scopesAt(place) ?? [])
      .filter((scope) => scope.variables.length > 0)
      .map((scope) => ({
        name: titles[scope.kind],
        expensive: scope.kind === 'globals',
        children: this.handle(() => {
          const read = memoryReader(this.machine, hart);
          return scope.variables.flatMap((variable) => {
            const value = place.symbols?.readVariable(variable, place, read);
            return value === undefined ? [] : [this.variable(value)];
          });
        }),
      }));
  }

  variables(children: number, start = 0, count?: number): readonly Variable[] {
    const list = this.handles[children - 1];
    if (list === undefined) throw new Error('These variables are gone: the guest has moved on.');
    return list(start, count);
  }

  evaluate(hart: number, frame: number, expression: string): Variable {
    return this.variable(this.value(hart, frame, expression));
  }

  /** For conditions and log messages: in the innermost frame. */
  test(hart: number, expression: string): { ok: true; text: string; truth: boolean } | { ok: false; message: string } {
    try {
      const value = this.value(hart, 0, expression);
      return { ok: true, text: value.text, truth: value.integer !== undefined && value.integer !== 0n };
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  assign(hart: number, frame: number, expression: string, text: string): Variable {
    const place = this.frame(hart, frame);
    if (place.symbols === undefined) throw new Error('There are no symbols here, so nothing can be named.');
    const assignment = place.symbols.assign(expression, text, place, memoryReader(this.machine, hart));
    switch (assignment.kind) {
      case 'refused':
        throw new Error(assignment.message);
      case 'memory':
        if (writeVirtual(this.machine, hart, assignment.address, assignment.bytes) < assignment.bytes.length) {
          throw new Error(`0x${assignment.address.toString(16)} cannot be written.`);
        }
        break;
      case 'register':
        if (frame !== 0) throw new Error('Registers can only be changed in the innermost frame.');
        this.writeRegister(hart, assignment.register, assignment.value);
    }
    this.refresh();
    return this.evaluate(hart, frame, expression);
  }

  private value(hart: number, frame: number, expression: string): Value {
    const place = this.frame(hart, frame);
    const symbols = place.symbols ?? this.symbols.images[0];
    if (symbols === undefined) throw new Error('The guest has no symbols: registers are in the Registers scopes.');
    const result = symbols.evaluate(expression, place, memoryReader(this.machine, hart));
    if (!result.ok) throw new Error(result.message);
    return result.value;
  }

  private variable(value: Value): Variable {
    const children =
      value.childCount === 0
        ? 0
        : this.handle((start, count) =>
            value.children(start, count ?? value.childCount).map((child) => this.variable(child)),
          );
    return {
      name: value.name,
      value: value.text,
      type: value.typeName,
      children,
      ...(value.indexed && { indexed: value.childCount }),
      ...(value.memoryReference !== undefined && { address: value.memoryReference }),
      ...(value.expression !== undefined && { expression: value.expression }),
    };
  }

  private handle(list: (start: number, count: number | undefined) => readonly Variable[]): number {
    this.handles.push(list);
    return this.handles.length;
  }

  private frames(hart: number): readonly StackFrame[] {
    let frames = this.stacks.get(hart);
    if (frames === undefined) {
      frames = this.symbols.backtrace(
        registersOf(this.machine, hart),
        memoryReader(this.machine, hart),
        longestStack,
      ).frames;
      this.stacks.set(hart, frames);
    }
    return frames;
  }

  private frame(hart: number, index: number): StackFrame {
    const frame = this.frames(hart)[index];
    if (frame === undefined) throw new Error(`There is no stack frame ${index}.`);
    return frame;
  }
}

/** The readings of a floating-point register: as double, and as float when it is NaN-boxed. [RISC-V unpriv., "D" extension] */
function floatText(bits: bigint): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const boxed = bits >> 32n === 0xffff_ffffn;
  return boxed ? `${view.getFloat32(4)} (float)` : String(view.getFloat64(0));
}
