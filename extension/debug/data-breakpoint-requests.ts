// Data breakpoints: the client's list, and those that views set at guest-physical addresses. The client replaces only its own.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { unplaced } from './breakpoint-requests';
import type { InspectionRequests } from './inspection-requests';
import { memoryReference, parseReference, readFields } from './protocol-values';
import type { DataBreakpoint, DebugTarget } from './target';

type Handler = (values: unknown) => Promise<object | undefined>;

interface Wanted {
  readonly id: number;
  readonly breakpoint: DataBreakpoint;
}

const accessTypes: DebugProtocol.DataBreakpointAccessType[] = ['read', 'write', 'readWrite'];
const longestWatch = 4096;

export class DataBreakpointRequests {
  private clients: readonly Wanted[] = [];
  private views: readonly Wanted[] = [];
  private loaded = false;
  private ignored = false;

  constructor(
    private readonly target: DebugTarget,
    private readonly inspection: InspectionRequests,
    private readonly newId: () => number,
  ) {}

  handlers(): readonly (readonly [string, Handler])[] {
    return [
      ['dataBreakpointInfo', (values) => this.info(values)],
      ['setDataBreakpoints', (values) => this.set(values)],
      ['ringside/breakWhenChanges', (values) => this.breakWhenChanges(values)],
      [
        'ringside/dataBreakpoints',
        () => Promise.resolve({ dataIds: this.views.map(({ breakpoint }) => breakpoint.id) }),
      ],
      ['ringside/removeDataBreakpoint', (values) => this.remove(values)],
    ];
  }

  /** A guest was loaded. Returns where the client's data breakpoints stand now. */
  async place(): Promise<readonly DebugProtocol.Breakpoint[]> {
    this.loaded = true;
    if (this.clients.length + this.views.length === 0) return [];
    return (await this.apply()).slice(0, this.clients.length);
  }
  ignore(): void {
    this.ignored = true;
  }

  /** A data breakpoint is named by its address and length, so that it survives a restart. */
  private async info(values: unknown): Promise<object> {
    const fields = readFields(values);
    const name = fields.text('name') ?? '';
    const refuse = (description: string): object => ({ dataId: null, description });
    if (fields.flag('asAddress') === true) {
      const { address, space } = parseReference(name);
      const length = fields.whole('bytes') ?? 8;
      if (length < 1 || length > longestWatch)
        return refuse(`${length} bytes: from 1 to ${longestWatch} can be watched`);
      const at = `${space === 'physical' ? 'physical:' : ''}${memoryReference(address)}`;
      return { dataId: `${at}/${length}`, description: `${length} bytes at ${at}`, accessTypes, canPersist: true };
    }
    try {
      const { hart, frame, expression } = await this.inspection.named(
        name,
        fields.whole('variablesReference'),
        fields.whole('frameId'),
      );
      const [address, size] = await Promise.all([
        this.target.evaluate(hart, frame, `&(${expression})`),
        this.target.evaluate(hart, frame, `sizeof(${expression})`),
      ]);
      const at = /0x[0-9a-f]+/i.exec(address.value)?.[0];
      const length = Number(/\d+/.exec(size.value)?.[0] ?? 0);
      if (at === undefined) return refuse(`${name} has no address`);
      if (length < 1 || length > longestWatch)
        return refuse(`${name} has ${length} bytes: from 1 to ${longestWatch} can be watched`);
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

  private async set(values: unknown): Promise<object> {
    const clients = readFields(values)
      .list('breakpoints')
      .map((entry): Wanted => {
        const one = readFields(entry);
        const kind = one.text('accessType');
        return this.wanted(one.text('dataId') ?? '', kind === 'read' || kind === 'readWrite' ? kind : 'write');
      });
    if (this.ignored)
      return { breakpoints: clients.map(({ id }) => unplaced(id, 'The guest runs without debugging.')) };
    this.clients = clients;
    if (!this.loaded) return { breakpoints: clients.map(({ id }) => unplaced(id, 'The guest is not loaded yet.')) };
    return { breakpoints: (await this.apply()).slice(0, clients.length) };
  }

  private async breakWhenChanges(values: unknown): Promise<object> {
    const fields = readFields(values);
    const { address } = parseReference(fields.text('address'));
    const id = `physical:${memoryReference(address)}/${fields.whole('bytes') ?? 0}`;
    const wanted = this.wanted(id, 'write');
    this.views = [...this.views.filter((one) => one.breakpoint.id !== id), wanted];
    const placed = (await this.apply()).find((one) => one.id === wanted.id);
    if (placed?.verified === true) return { dataId: id };
    await this.remove({ dataId: id });
    throw new Error(placed?.message ?? `${memoryReference(address)} cannot be watched.`);
  }

  private async remove(values: unknown): Promise<undefined> {
    const id = readFields(values).text('dataId');
    this.views = this.views.filter((one) => one.breakpoint.id !== id);
    await this.apply();
    return undefined;
  }

  private wanted(id: string, access: DataBreakpoint['access']): Wanted {
    const match = /^(physical:)?(0x[0-9a-f]{1,16})\/(\d{1,4})$/i.exec(id);
    const lengthBytes = Number(match?.[3] ?? 0);
    if (match?.[2] === undefined || lengthBytes < 1 || lengthBytes > longestWatch)
      throw new Error(
        `"${id}" is not a data breakpoint of Ringside; expected an address and 1 to ${longestWatch} bytes, such as 0x80000000/4.`,
      );
    const space = match[1] === undefined ? 'virtual' : 'physical';
    return { id: this.newId(), breakpoint: { id, address: BigInt(match[2]), space, lengthBytes, access } };
  }

  private async apply(): Promise<readonly DebugProtocol.Breakpoint[]> {
    const all = [...this.clients, ...this.views];
    const bindings = await this.target.setDataBreakpoints(all.map(({ breakpoint }) => breakpoint));
    return all.map(({ id }, index) => {
      const binding = bindings[index];
      return {
        id,
        verified: binding?.verified ?? false,
        ...(binding?.message !== undefined && { message: binding.message }),
      };
    });
  }
}
