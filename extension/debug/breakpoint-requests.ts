// Breakpoint requests: source, function, instruction, data. The client's lists are kept so that they can be placed once a guest is loaded.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { memoryReference, parseReference, readFields } from './protocol-values';
import type {
  BreakpointBinding,
  DataBreakpoint,
  DebugTarget,
  FunctionBreakpoint,
  InstructionBreakpoint,
  SourceBreakpoint,
} from './target';

type Handler = (values: unknown) => Promise<object | undefined>;

export class BreakpointRequests {
  private nextId = 1;

  constructor(private readonly target: DebugTarget) {}

  handlers(): readonly (readonly [string, Handler])[] {
    return [
      ['setBreakpoints', (values) => this.setSource(values)],
      ['setFunctionBreakpoints', (values) => this.setFunction(values)],
      ['setInstructionBreakpoints', (values) => this.setInstruction(values)],
      ['dataBreakpointInfo', (values) => this.dataInfo(values)],
      ['setDataBreakpoints', (values) => this.setData(values)],
      ['breakpointLocations', (values) => this.locations(values)],
    ];
  }

  /** The guest was loaded anew; the session keeps breakpoints, so nothing has to be sent. */
  placeAgain(): Promise<void> {
    return Promise.resolve();
  }

  private async setSource(values: unknown): Promise<object> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path');
    if (path === undefined) throw new Error('setBreakpoints: the source has no path.');
    const wanted = fields.list('breakpoints').map((entry): SourceBreakpoint => {
      const one = readFields(entry);
      const [condition, hitCondition, logMessage] = [
        one.text('condition'),
        one.text('hitCondition'),
        one.text('logMessage'),
      ];
      return {
        id: this.nextId++,
        line: one.whole('line') ?? 0,
        ...(condition !== undefined && { condition }),
        ...(hitCondition !== undefined && { hitCondition }),
        ...(logMessage !== undefined && logMessage !== '' && { logMessage }),
      };
    });
    const bindings = await this.target.setSourceBreakpoints(path, wanted);
    return { breakpoints: bindings.map((binding, index) => this.answer(binding, wanted[index]?.line)) };
  }

  private async setFunction(values: unknown): Promise<object> {
    const wanted = readFields(values)
      .list('breakpoints')
      .map((entry): FunctionBreakpoint => {
        const one = readFields(entry);
        return {
          id: this.nextId++,
          name: one.text('name') ?? '',
          ...conditions(one.text('condition'), one.text('hitCondition')),
        };
      });
    const bindings = await this.target.setFunctionBreakpoints(wanted);
    return { breakpoints: bindings.map((binding) => this.answer(binding)) };
  }

  private async setInstruction(values: unknown): Promise<object> {
    const wanted = readFields(values)
      .list('breakpoints')
      .map((entry): InstructionBreakpoint => {
        const one = readFields(entry);
        const { address } = parseReference(one.text('instructionReference'));
        return {
          id: this.nextId++,
          address: address + BigInt(one.whole('offset') ?? 0),
          ...conditions(one.text('condition'), one.text('hitCondition')),
        };
      });
    const bindings = await this.target.setInstructionBreakpoints(wanted);
    return { breakpoints: bindings.map((binding) => this.answer(binding)) };
  }

  /** A data breakpoint is named by its address and length, so that it survives a restart. */
  private async dataInfo(values: unknown): Promise<object> {
    const fields = readFields(values);
    const name = fields.text('name') ?? '';
    const accessTypes: DebugProtocol.DataBreakpointAccessType[] = ['read', 'write', 'readWrite'];
    const refuse = (description: string): object => ({ dataId: null, description });
    if (fields.flag('asAddress') === true) {
      const { address } = parseReference(name);
      return {
        dataId: `${memoryReference(address)}/${fields.whole('bytes') ?? 8}`,
        description: `${fields.whole('bytes') ?? 8} bytes at ${memoryReference(address)}`,
        accessTypes,
        canPersist: true,
      };
    }
    const frame = fields.whole('frameId') ?? 0;
    try {
      const [address, size] = await Promise.all([
        this.target.evaluate(frame >> 16, frame & 0xffff, `&(${name})`),
        this.target.evaluate(frame >> 16, frame & 0xffff, `sizeof(${name})`),
      ]);
      const at = /0x[0-9a-f]+/i.exec(address.value)?.[0];
      const length = Number(/\d+/.exec(size.value)?.[0] ?? 8);
      if (at === undefined) return refuse(`${name} has no address`);
      return {
        dataId: `${at}/${length}`,
        description: `${name} (${length} bytes at ${at})`,
        accessTypes,
        canPersist: true,
      };
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
  }

  private async setData(values: unknown): Promise<object> {
    const wanted = readFields(values)
      .list('breakpoints')
      .map((entry): DataBreakpoint => {
        const one = readFields(entry);
        const id = one.text('dataId') ?? '';
        const match = /^(0x[0-9a-f]{1,16})\/(\d{1,4})$/i.exec(id);
        if (match?.[1] === undefined) throw new Error(`"${id}" is not a data breakpoint of Ringside.`);
        const kind = one.text('accessType');
        return {
          id,
          address: BigInt(match[1]),
          lengthBytes: Math.max(1, Number(match[2])),
          access: kind === 'read' || kind === 'readWrite' ? kind : 'write',
        };
      });
    const bindings = await this.target.setDataBreakpoints(wanted);
    return { breakpoints: bindings.map((binding) => this.answer(binding)) };
  }

  private async locations(values: unknown): Promise<object> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path') ?? '';
    const first = fields.whole('line') ?? 1;
    const lines = await this.target.breakpointLines(path, first, fields.whole('endLine') ?? first);
    return { breakpoints: lines.map((line) => ({ line })) };
  }

  private answer(binding: BreakpointBinding, line?: number): DebugProtocol.Breakpoint {
    const first = binding.addresses[0];
    const shown = binding.source?.line ?? line;
    return {
      id: binding.id,
      verified: binding.verified,
      ...(binding.message !== undefined && { message: binding.message }),
      ...(shown !== undefined && { line: shown }),
      ...(first !== undefined && { instructionReference: memoryReference(first) }),
    };
  }
}

function conditions(
  condition: string | undefined,
  hitCondition: string | undefined,
): { condition?: string; hitCondition?: string } {
  return { ...(condition !== undefined && { condition }), ...(hitCondition !== undefined && { hitCondition }) };
}
