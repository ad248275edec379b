// Stack, scopes, variables, evaluation, memory and disassembly requests.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { fileName } from './violation-text';
import { hexText, memoryReference, parseReference, parseValue, readFields } from './protocol-values';
import type { DebugTarget, RegisterGroup, StackFrame, StopReason, Variable } from './target';

type Handler = (values: unknown) => Promise<object | undefined>;

/** What a variables reference stands for while the guest stands still. */
type Container =
  | { readonly kind: 'variables'; readonly children: number; readonly hart: number; readonly frame: number }
  | {
      readonly kind: 'registers';
      readonly group: RegisterGroup['name'];
      readonly hart: number;
      readonly frame: number;
    };

const longestStack = 1000;
const largestMemoryRead = 1 << 20;
const largestDisassembly = 4096;

export class InspectionRequests {
  private containers: Container[] = [];
  private addresses: bigint[] = [];
  private linesStartAt1 = true;
  /** Frames of the stopped hart that only carry an access: editors pass over them when they choose what to show. */
  private carriers: { readonly hart: number; readonly frames: number } | undefined;

  constructor(private readonly target: DebugTarget) {}

  handlers(): readonly (readonly [string, Handler])[] {
    return [
      ['stackTrace', (values) => this.stackTrace(values)],
      ['scopes', (values) => this.scopes(values)],
      ['variables', (values) => this.variables(values)],
      ['setVariable', (values) => this.setVariable(values)],
      ['evaluate', (values) => this.evaluate(values)],
      ['setExpression', (values) => this.setExpression(values)],
      ['readMemory', (values) => this.readMemory(values)],
      ['writeMemory', (values) => this.writeMemory(values)],
      ['disassemble', (values) => this.disassemble(values)],
    ];
  }

  client(values: unknown): void {
    this.linesStartAt1 = readFields(values).flag('linesStartAt1') ?? true;
  }
  /** The guest moved: references of the last stop mean nothing any more. */
  forget(): void {
    this.containers = [];
    this.addresses = [];
    this.carriers = undefined;
  }
  /** The stop that stacks are shown for. */
  stoppedAt(reason: StopReason, hart: number): void {
    this.carriers = reason.kind === 'violation' ? { hart, frames: reason.violation.blamedFrame } : undefined;
  }
  rememberAddress(address: bigint): number {
    return this.addresses.push(address);
  }
  address(id: number): bigint {
    const address = this.addresses[id - 1];
    if (address === undefined) throw new Error('This target is gone: the guest has moved on.');
    return address;
  }

  private async stackTrace(values: unknown): Promise<object> {
    const fields = readFields(values);
    const hart = (fields.whole('threadId') ?? 1) - 1;
    const start = fields.whole('startFrame') ?? 0;
    const wanted = fields.whole('levels') ?? 0;
    const frames = await this.target.backtrace(hart, longestStack);
    const shown = frames.slice(start, wanted > 0 ? start + wanted : undefined);
    return {
      stackFrames: shown.map((frame, index) => this.frame(frame, hart, start + index)),
      totalFrames: frames.length,
    };
  }

  private frame(frame: StackFrame, hart: number, index: number): DebugProtocol.StackFrame {
    const { source } = frame;
    const carries = this.carriers?.hart === hart && index < this.carriers.frames;
    return {
      id: (hart << 16) | index,
      name: frame.inlined ? `${frame.name} (inlined)` : frame.name,
      line: source === undefined ? 0 : source.line - (this.linesStartAt1 ? 0 : 1),
      column: source?.column ?? 0,
      instructionPointerReference: memoryReference(frame.pc),
      ...(source === undefined
        ? { presentationHint: 'subtle' as const }
        : {
            source: {
              name: fileName(source.file),
              path: source.file,
              ...(carries && { presentationHint: 'deemphasize' as const }),
            },
          }),
    };
  }

  private async scopes(values: unknown): Promise<object> {
    const { hart, frame } = this.place(readFields(values).whole('frameId'));
    const [scopes, groups] = await Promise.all([this.target.scopes(hart, frame), this.target.registers(hart, frame)]);
    const variables = scopes.map((scope) => ({
      name: scope.name,
      ...(scope.name !== 'Globals' && { presentationHint: scope.name === 'Arguments' ? 'arguments' : 'locals' }),
      variablesReference: this.container({ kind: 'variables', children: scope.children, hart, frame }),
      expensive: scope.expensive,
    }));
    const registers = groups
      .filter((group) => group.registers.length > 0)
      .map((group) => ({
        name: group.name === 'Integer' ? 'Registers' : group.name,
        presentationHint: 'registers',
        variablesReference: this.container({ kind: 'registers', group: group.name, hart, frame }),
        namedVariables: group.registers.length,
        // Integer registers open by themselves only where there is nothing better to show.
        expensive: group.name !== 'Integer' || scopes.length > 0,
      }));
    return { scopes: [...variables, ...registers] };
  }

  private async variables(values: unknown): Promise<object> {
    const fields = readFields(values);
    const container = this.containers[(fields.whole('variablesReference') ?? 0) - 1];
    if (container === undefined) throw new Error('These variables are gone: the guest has moved on.');
    if (container.kind === 'variables') {
      const list = await this.target.variables(container.children, fields.whole('start'), fields.whole('count'));
      return { variables: list.map((variable) => this.variable(variable, container.hart, container.frame)) };
    }
    const group = (await this.target.registers(container.hart, container.frame)).find(
      (one) => one.name === container.group,
    );
    return {
      variables: (group?.registers ?? []).map((register) => ({
        name: register.name,
        value:
          register.detail === undefined || register.detail === ''
            ? hexText(register.value, register.bits / 4)
            : `${hexText(register.value, register.bits / 4)}  ${register.detail}`,
        type: `${register.bits} bits`,
        evaluateName: `$${register.name}`,
        memoryReference: memoryReference(register.value),
        variablesReference: 0,
      })),
    };
  }

  private variable(variable: Variable, hart: number, frame: number): DebugProtocol.Variable {
    return {
      name: variable.name,
      value: variable.value,
      variablesReference:
        variable.children === 0 ? 0 : this.container({ kind: 'variables', children: variable.children, hart, frame }),
      ...(variable.type !== undefined && { type: variable.type }),
      ...(variable.indexed !== undefined && { indexedVariables: variable.indexed }),
      ...(variable.address !== undefined && { memoryReference: memoryReference(variable.address) }),
      ...(variable.expression !== undefined && { evaluateName: variable.expression }),
    };
  }

  private async setVariable(values: unknown): Promise<object> {
    const fields = readFields(values);
    const container = this.containers[(fields.whole('variablesReference') ?? 0) - 1];
    const name = fields.text('name') ?? '';
    const text = fields.text('value') ?? '';
    if (container === undefined) throw new Error('These variables are gone: the guest has moved on.');
    if (container.kind === 'registers') {
      if (container.frame !== 0) throw new Error('Registers can only be changed in the innermost frame.');
      const value = parseValue(text);
      await this.target.writeRegister(container.hart, name, value);
      return { value: hexText(value) };
    }
    const variable = (await this.target.variables(container.children)).find((one) => one.name === name);
    if (variable?.expression === undefined)
      throw new Error(`${name} cannot be changed: it has no place that can be named.`);
    const changed = await this.target.assign(container.hart, container.frame, variable.expression, text);
    return this.result(changed, container.hart, container.frame, 'value');
  }

  private async evaluate(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { hart, frame } = this.place(fields.whole('frameId') ?? 0);
    const expression = (fields.text('expression') ?? '').trim();
    if (expression === '') throw new Error('There is nothing to evaluate.');
    const variable = await this.target.evaluate(hart, frame, expression);
    return this.result(variable, hart, frame, 'result');
  }

  private async setExpression(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { hart, frame } = this.place(fields.whole('frameId') ?? 0);
    const changed = await this.target.assign(hart, frame, fields.text('expression') ?? '', fields.text('value') ?? '');
    return this.result(changed, hart, frame, 'value');
  }

  private result(variable: Variable, hart: number, frame: number, key: 'result' | 'value'): object {
    const shown = this.variable(variable, hart, frame);
    return {
      [key]: shown.value,
      variablesReference: shown.variablesReference,
      ...(shown.type !== undefined && { type: shown.type }),
      ...(shown.indexedVariables !== undefined && { indexedVariables: shown.indexedVariables }),
      ...(shown.memoryReference !== undefined && { memoryReference: shown.memoryReference }),
    };
  }

  private async readMemory(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { address, space } = parseReference(fields.text('memoryReference'));
    const at = BigInt.asUintN(64, address + BigInt(fields.whole('offset') ?? 0));
    const count = Math.min(Math.max(0, fields.whole('count') ?? 0), largestMemoryRead);
    const bytes = await this.target.readMemory(at, count, space, 0);
    return {
      address: memoryReference(at),
      unreadableBytes: count - bytes.length,
      ...(bytes.length > 0 && { data: Buffer.from(bytes).toString('base64') }),
    };
  }

  private async writeMemory(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { address, space } = parseReference(fields.text('memoryReference'));
    const at = BigInt.asUintN(64, address + BigInt(fields.whole('offset') ?? 0));
    const bytes = new Uint8Array(Buffer.from(fields.text('data') ?? '', 'base64'));
    const written = await this.target.writeMemory(at, bytes, space, 0);
    if (written < bytes.length && fields.flag('allowPartial') !== true) {
      throw new Error(
        `Only ${written} of ${bytes.length} bytes at ${memoryReference(at)} can be written: the rest is not RAM.`,
      );
    }
    return { bytesWritten: written };
  }

  private async disassemble(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { address } = parseReference(fields.text('memoryReference'));
    const at = BigInt.asUintN(64, address + BigInt(fields.whole('offset') ?? 0));
    const count = Math.min(Math.max(0, fields.whole('instructionCount') ?? 0), largestDisassembly);
    const before = Math.max(-largestDisassembly, Math.min(largestDisassembly, fields.whole('instructionOffset') ?? 0));
    const rows = await this.target.disassemble(at, before, count, 0);
    let lastFile: string | undefined;
    return {
      instructions: rows.map((row): DebugProtocol.DisassembledInstruction => {
        const { source } = row;
        const location =
          source !== undefined && source.file !== lastFile
            ? { location: { name: fileName(source.file), path: source.file } }
            : {};
        lastFile = source?.file ?? lastFile;
        return {
          address: memoryReference(row.address),
          instructionBytes: Array.from(row.bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' '),
          instruction: row.text,
          ...(row.symbol !== undefined && { symbol: row.symbol }),
          ...(source !== undefined && { line: source.line, ...location }),
          ...(row.bytes.length === 0 && { presentationHint: 'invalid' as const }),
        };
      }),
    };
  }

  private container(container: Container): number {
    return this.containers.push(container);
  }
  private place(id: number | undefined): { hart: number; frame: number } {
    if (id === undefined || id < 0) throw new Error('There is no such stack frame.');
    return { hart: id >> 16, frame: id & 0xffff };
  }
}
