// A debug adapter client for tests: requests, responses and events as they cross the protocol, kept as a transcript.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RingsideDebugAdapter } from '../../extension/debug/adapter';
import type { DebugTarget } from '../../extension/debug/target';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';

export interface ClientOptions {
  readonly consolesElsewhere?: boolean;
}

const patienceMilliseconds = 30_000;

export class Client {
  readonly events: DebugProtocol.Event[] = [];
  private readonly adapter: RingsideDebugAdapter;
  private readonly responses = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly waiting: {
    matches: (event: DebugProtocol.Event) => boolean;
    resolve: (event: DebugProtocol.Event) => void;
  }[] = [];
  private sequence = 1;
  private seen = 0;

  constructor(target: DebugTarget, options: ClientOptions = {}) {
    this.adapter = new RingsideDebugAdapter({
      target,
      parseLaunch: (raw) => parseLaunchConfiguration(raw, { resolvePath: (file) => file, mayWriteFiles: false }),
      consolesElsewhere: options.consolesElsewhere ?? true,
    });
    this.adapter.onDidSendMessage((message) => this.receive(message as DebugProtocol.ProtocolMessage));
  }

  /** The response, whether it is a success or not. */
  async send(command: string, values?: object): Promise<DebugProtocol.Response> {
    const seq = this.sequence++;
    const response = new Promise<DebugProtocol.Response>((resolve) => this.responses.set(seq, resolve));
    const request: DebugProtocol.Request = {
      seq,
      type: 'request',
      command,
      ...(values !== undefined && { arguments: values }),
    };
    this.adapter.handleMessage(request);
    return within(response, `a response to ${command}`);
  }

  /** The body of a successful response. */
  async request<Body = Readonly<Record<string, unknown>>>(command: string, values?: object): Promise<Body> {
    const response = await this.send(command, values);
    if (!response.success) throw new Error(`${command} failed: ${errorText(response)}`);
    return (response.body ?? {}) as Body;
  }

  /** The next event of this kind that was not yet taken; earlier ones of other kinds are passed over. */
  async event<Body = Readonly<Record<string, unknown>>>(
    name: string,
    matches: (body: Body) => boolean = () => true,
  ): Promise<Body> {
    const fits = (event: DebugProtocol.Event): boolean => event.event === name && matches(event.body as Body);
    for (let i = this.seen; i < this.events.length; i++) {
      const event = this.events[i];
      if (event === undefined || !fits(event)) continue;
      this.seen = i + 1;
      return event.body as Body;
    }
    const event = await within(
      new Promise<DebugProtocol.Event>((resolve) => this.waiting.push({ matches: fits, resolve })),
      `the event ${name}`,
    );
    this.seen = this.events.indexOf(event) + 1;
    return event.body as Body;
  }

  /** The next event of any of these kinds, by name. */
  async oneOf(...names: readonly string[]): Promise<string> {
    let found = '';
    const matches = (event: DebugProtocol.Event): boolean => names.includes(event.event);
    for (let i = this.seen; i < this.events.length && found === ''; i++) {
      const event = this.events[i];
      if (event === undefined || !matches(event)) continue;
      this.seen = i + 1;
      found = event.event;
    }
    if (found !== '') return found;
    const event = await within(
      new Promise<DebugProtocol.Event>((resolve) => this.waiting.push({ matches, resolve })),
      `one of the events ${names.join(', ')}`,
    );
    this.seen = this.events.indexOf(event) + 1;
    return event.event;
  }

  /** initialize, launch, the given configuration requests once the adapter asks for them, configurationDone. */
  async start(configuration: object, configure: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    await this.request('initialize', { adapterID: 'virtio', linesStartAt1: true });
    await this.request('launch', { type: 'virtio', request: 'launch', name: 'test', clock: 'warp', ...configuration });
    await this.event('initialized');
    await configure();
    await this.request('configurationDone');
  }

  private receive(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.responses.get(response.request_seq)?.(response);
      this.responses.delete(response.request_seq);
    } else if (message.type === 'event') {
      const event = message as DebugProtocol.Event;
      this.events.push(event);
      const index = this.waiting.findIndex((one) => one.matches(event));
      if (index >= 0) this.waiting.splice(index, 1)[0]?.resolve(event);
    }
  }
}

export function errorText(response: DebugProtocol.Response): string {
  const body = response.body as
    { error?: { format: string; variables?: Readonly<Record<string, string>> } } | undefined;
  return (body?.error?.format ?? response.message ?? '').replace(
    /\{(\w+)\}/g,
    (_, name: string) => body?.error?.variables?.[name] ?? '',
  );
}

async function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} did not come within ${patienceMilliseconds} ms`)),
      patienceMilliseconds,
    );
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
