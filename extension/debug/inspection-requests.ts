// Stack, scopes, variables, evaluation, memory and disassembly requests.
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ClientLines } from './client-lines';
import { hexText, memoryReference, parseReference, parseValue, readFields } from './protocol-values';
import type { DebugTarget, LaunchResult, RegisterGroup, StackFrame, StopReason, Variable } from './target';
import { fileName } from './violation-text';

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

interface Place {
  readonly hart: number;
  readonly frame: number;
}

const longestStack = 1000;
const mostFrames = 1 << 16;
/** Children that are sent at once; a client that wants more of an array asks for ranges. */
const mostVariables = 10_000;
const largestMemoryRead = 1 << 20;
const largestDisassembly = 4096;

export class InspectionRequests {
  private containers: Container[] = [];
  private addresses: bigint[] = [];
  private harts = 0;
  /** Whose eyes memory and code are read with: the hart that stopped last. */
  private reader = 0;
  /** Frames of the stopped hart that only carry an access: editors pass over them when they choose what to show. */
  private carriers: { readonly hart: number; readonly frames: number } | undefined;

  constructor(
    private readonly target: DebugTarget,
    private readonly lines: ClientLines,
  ) {}

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

  /** A guest was loaded: references of an earlier one mean nothing. */
  guest({ harts }: LaunchResult): void {
    this.harts = harts;
    this.reader = 0;
    this.forget();
  }
  /** The guest moved: references of the last stop mean nothing any more. */
  forget(): void {
    this.containers = [];
    this.addresses = [];
    this.carriers = undefined;
  }
  /** The stop that stacks are shown for. */
  stoppedAt(reason: StopReason, hart: number): void {
    this.forget();
    this.reader = hart;
    this.carriers = reason.kind === 'violation' ? { hart, frames: reason.violation.blamedFrame } : undefined;
  }
  /** Threads of the protocol are harts, counted from 1. */
  hart(thread: unknown): number {
    if (typeof thread === 'number' && Number.isInteger(thread) && thread >= 1 && thread <= this.harts)
      return thread - 1;
    throw new Error(`There is no thread ${JSON.stringify(thread ?? 'none given')}: the guest has ${this.harts} harts.`);
  }
  /** The expression that a name in the variables view, or as typed, stands for. */
  async named(
    name: string,
    reference: number | undefined,
    frameId: number | undefined,
  ): Promise<Place & { readonly expression: string }> {
    if (reference === undefined || reference === 0) return { ...this.place(frameId), expression: name };
    const container = this.containers[reference - 1];
    if (container === undefined) throw new Error('These variables are gone: the guest has moved on.');
    if (container.kind === 'registers') throw new Error(`${name} is a register: it has no address.`);
    // An element is asked for alone: its array may be huge.
    const index = /^\[(\d{1,9})\]$/.exec(name)?.[1];
    const [start, count] = index === undefined ? [0, mostVariables] : [Number(index), 1];
    const list = await this.target.variables(container.children, start, count);
    const variable = list.find((one) => one.name === name);
    if (variable?.expression === undefined) throw new Error(`${name} has no place that can be named.`);
    return { hart: container.hart, frame: container.frame, expression: variable.expression };
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
    const hart = this.hart(fields.value('threadId'));
    const start = Math.max(0, fields.whole('startFrame') ?? 0);
    const wanted = Math.max(0, fields.whole('levels') ?? 0);
    const frames = await this.target.backtrace(hart, longestStack);
    const shown = frames.slice(start, wanted > 0 ? start + wanted : undefined);
    const carriers = this.carriers?.hart === hart ? this.carriers.frames : 0;
    const others = new Set(frames.slice(carriers).map((frame) => frame.source?.file));
    return {
      stackFrames: shown.map((frame, index) =>
        start + index < carriers
          ? this.carrier(frame, hart, start + index, others)
          : this.frame(frame, hart, start + index),
      ),
      totalFrames: frames.length,
    };
  }

  private frame(frame: StackFrame, hart: number, index: number): DebugProtocol.StackFrame {
    const { source } = frame;
    return {
      id: hart * mostFrames + index,
      name: frame.inlined ? `${frame.name} (inlined)` : frame.name,
      line: source === undefined ? 0 : this.lines.toClient(source.line),
      column: source === undefined ? 0 : this.lines.columnToClient(source.column ?? 1),
      instructionPointerReference: memoryReference(frame.pc),
      ...(source === undefined
        ? { presentationHint: 'subtle' as const }
        : { source: { name: fileName(source.file), path: source.file } }),
    };
  }

  /**
   * A frame that only carries the blamed access. Clients keep one hint for a file, not for a frame: where the blamed line is in the same
   * file, the carrier goes without its source, so that it is not taken for the place to show.
   */
  private carrier(
    frame: StackFrame,
    hart: number,
    index: number,
    others: ReadonlySet<string | undefined>,
  ): DebugProtocol.StackFrame {
    const shown = this.frame(frame, hart, index);
    const { source } = shown;
    if (source === undefined) return shown;
    if (!others.has(source.path)) return { ...shown, source: { ...source, presentationHint: 'deemphasize' } };
    const name = `${shown.name} ${source.name ?? ''}:${shown.line}`;
    return { ...this.frame({ ...frame, source: undefined }, hart, index), name };
  }

  private async scopes(values: unknown): Promise<object> {
    const id = readFields(values).whole('frameId');
    if (id === undefined) throw new Error('scopes: expected the frameId of a stack frame.');
    const { hart, frame } = this.place(id);
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
      const start = Math.max(0, fields.whole('start') ?? 0);
      const asked = fields.whole('count') ?? 0;
      const count = asked <= 0 ? mostVariables : Math.min(asked, mostVariables);
      const list = await this.target.variables(container.children, start, count);
      const hex = wantsHex(fields.value('format'));
      return { variables: list.map((variable) => this.variable(variable, container, hex)) };
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

  private variable(variable: Variable, { hart, frame }: Place, hex: boolean): DebugProtocol.Variable {
    return {
      name: variable.name,
      value: hex ? asHex(variable.value) : variable.value,
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
    const { expression } = await this.named(name, fields.whole('variablesReference'), undefined);
    const changed = await this.target.assign(container.hart, container.frame, expression, text);
    return this.result(changed, container, 'value', fields.value('format'));
  }

  private async evaluate(values: unknown): Promise<object> {
    const fields = readFields(values);
    const place = this.place(fields.whole('frameId'));
    const expression = (fields.text('expression') ?? '').trim();
    if (expression === '') throw new Error('There is nothing to evaluate.');
    const variable = await this.target.evaluate(place.hart, place.frame, expression);
    return this.result(variable, place, 'result', fields.value('format'));
  }

  private async setExpression(values: unknown): Promise<object> {
    const fields = readFields(values);
    const place = this.place(fields.whole('frameId'));
    const [expression, value] = [fields.text('expression') ?? '', fields.text('value') ?? ''];
    const changed = await this.target.assign(place.hart, place.frame, expression, value);
    return this.result(changed, place, 'value', fields.value('format'));
  }

  private result(variable: Variable, place: Place, key: 'result' | 'value', format: unknown): object {
    const shown = this.variable(variable, place, wantsHex(format));
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
    const bytes = await this.target.readMemory(at, count, space, this.reader);
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
    const written = await this.target.writeMemory(at, bytes, space, this.reader);
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
    const rows = await this.target.disassemble(at, before, count, this.reader);
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
          ...(source !== undefined && { line: this.lines.toClient(source.line), ...location }),
          ...(row.bytes.length === 0 && { presentationHint: 'invalid' as const }),
        };
      }),
    };
  }

  private container(container: Container): number {
    return this.containers.push(container);
  }
  /** Without a frame: the innermost one of the hart that stopped last. */
  private place(id: number | undefined): Place {
    if (id === undefined) return { hart: this.reader, frame: 0 };
    const hart = Math.floor(id / mostFrames);
    if (id < 0 || hart >= this.harts) throw new Error(`There is no stack frame with the id ${id}.`);
    return { hart, frame: id % mostFrames };
  }
}

function wantsHex(format: unknown): boolean {
  return readFields(format).flag('hex') === true;
}

/** A whole number, and nothing else, in hexadecimal. */
function asHex(text: string): string {
  if (!/^-?\d+$/.test(text)) return text;
  const value = BigInt(text);
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
