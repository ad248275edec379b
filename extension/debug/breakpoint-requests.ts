// Source, function and instruction breakpoints. The client's lists are kept, so that they are placed in a guest that is loaded later or
// anew: after a rebuild the same line has another address.
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ClientLines } from './client-lines';
import { memoryReference, parseReference, readFields } from './protocol-values';
import type {
  BreakpointBinding,
  DebugTarget,
  FunctionBreakpoint,
  InstructionBreakpoint,
  SourceBreakpoint,
} from './target';

type Handler = (values: unknown) => Promise<object | undefined>;
type Answers = { readonly breakpoints: readonly DebugProtocol.Breakpoint[] };
/** Places one of the client's lists and says where its entries came to stand. */
type Place = () => Promise<readonly DebugProtocol.Breakpoint[]>;

export class BreakpointRequests {
  private readonly lists = new Map<string, Place>();
  private loaded = false;
  private ignored = false;

  constructor(
    private readonly target: DebugTarget,
    private readonly lines: ClientLines,
    private readonly newId: () => number,
  ) {}

  handlers(): readonly (readonly [string, Handler])[] {
    return [
      ['setBreakpoints', (values) => this.setSource(values)],
      ['setFunctionBreakpoints', (values) => this.setFunction(values)],
      ['setInstructionBreakpoints', (values) => this.setInstruction(values)],
      ['breakpointLocations', (values) => this.locations(values)],
    ];
  }

  /** A guest was loaded. Returns where all breakpoints stand now. */
  async place(): Promise<readonly DebugProtocol.Breakpoint[]> {
    this.loaded = true;
    const placed: DebugProtocol.Breakpoint[] = [];
    for (const list of this.lists.values()) placed.push(...(await list()));
    return placed;
  }
  /** The guest runs without debugging: nothing is placed. */
  ignore(): void {
    this.ignored = true;
  }

  private async keep(key: string, place: Place, ids: readonly number[]): Promise<Answers> {
    if (this.ignored) return { breakpoints: ids.map((id) => unplaced(id, 'The guest runs without debugging.')) };
    this.lists.set(key, place);
    return {
      breakpoints: this.loaded ? await place() : ids.map((id) => unplaced(id, 'The guest is not loaded yet.')),
    };
  }

  private setSource(values: unknown): Promise<Answers> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path');
    if (path === undefined) throw new Error('setBreakpoints: the source has no path.');
    const wanted = fields.list('breakpoints').map((entry): SourceBreakpoint => {
      const one = readFields(entry);
      const logMessage = one.text('logMessage');
      return {
        id: this.newId(),
        line: this.lines.fromClient(one.whole('line') ?? 0),
        ...conditions(one.text('condition'), one.text('hitCondition')),
        ...(logMessage !== undefined && logMessage !== '' && { logMessage }),
      };
    });
    const place = async (): Promise<DebugProtocol.Breakpoint[]> => {
      const bindings = await this.target.setSourceBreakpoints(path, wanted);
      return bindings.map((binding, index) => this.answer(binding, wanted[index]?.line));
    };
    return this.keep(`source ${path}`, place, idsOf(wanted));
  }

  private setFunction(values: unknown): Promise<Answers> {
    const wanted = readFields(values)
      .list('breakpoints')
      .map((entry): FunctionBreakpoint => {
        const one = readFields(entry);
        return {
          id: this.newId(),
          name: one.text('name') ?? '',
          ...conditions(one.text('condition'), one.text('hitCondition')),
        };
      });
    const place = async (): Promise<DebugProtocol.Breakpoint[]> =>
      (await this.target.setFunctionBreakpoints(wanted)).map((binding) => this.answer(binding));
    return this.keep('functions', place, idsOf(wanted));
  }

  private setInstruction(values: unknown): Promise<Answers> {
    const wanted = readFields(values)
      .list('breakpoints')
      .map((entry): InstructionBreakpoint => {
        const one = readFields(entry);
        const { address } = parseReference(one.text('instructionReference'));
        return {
          id: this.newId(),
          address: BigInt.asUintN(64, address + BigInt(one.whole('offset') ?? 0)),
          ...conditions(one.text('condition'), one.text('hitCondition')),
        };
      });
    const place = async (): Promise<DebugProtocol.Breakpoint[]> =>
      (await this.target.setInstructionBreakpoints(wanted)).map((binding) => this.answer(binding));
    return this.keep('instructions', place, idsOf(wanted));
  }

  private async locations(values: unknown): Promise<object> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path') ?? '';
    const first = fields.whole('line') ?? 1;
    const last = fields.whole('endLine') ?? first;
    if (!this.loaded) return { breakpoints: [] };
    const lines = await this.target.breakpointLines(path, this.lines.fromClient(first), this.lines.fromClient(last));
    return { breakpoints: lines.map((line) => ({ line: this.lines.toClient(line) })) };
  }

  private answer(binding: BreakpointBinding, line?: number): DebugProtocol.Breakpoint {
    const first = binding.addresses[0];
    const shown = binding.source?.line ?? line;
    return {
      id: binding.id,
      verified: binding.verified,
      ...(binding.message !== undefined && { message: binding.message }),
      ...(shown !== undefined && { line: this.lines.toClient(shown) }),
      ...(first !== undefined && { instructionReference: memoryReference(first) }),
    };
  }
}

export function unplaced(id: number, message: string): DebugProtocol.Breakpoint {
  return { id, verified: false, message };
}

function idsOf(list: readonly { readonly id: number }[]): readonly number[] {
  return list.map(({ id }) => id);
}

function conditions(
  condition: string | undefined,
  hitCondition: string | undefined,
): { condition?: string; hitCondition?: string } {
  return { ...(condition !== undefined && { condition }), ...(hitCondition !== undefined && { hitCondition }) };
}
