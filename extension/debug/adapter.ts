// The Debug Adapter Protocol over a DebugTarget: translates, and keeps nothing that the target knows. Runs inside VS Code, as a process
// for other editors, and under protocol tests. [Debug Adapter Protocol 1.68]
// Guarantees: every request gets exactly one response; a failure is an error response with a readable text.
import { DebugSession, Event, OutputEvent, Response } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { BreakpointRequests } from './breakpoint-requests';
import { parseSetPolicy, toPlain } from './custom-requests';
import { ExceptionRequests } from './exception-requests';
import { InspectionRequests } from './inspection-requests';
import type { LaunchConfiguration } from './launch-configuration';
import { memoryReference, readFields } from './protocol-values';
import type { DebugTarget, LaunchResult, StopReason, TargetEvent } from './target';
import { violationTitle } from './violation-text';

export interface AdapterOptions {
  readonly target: DebugTarget;
  /** Checks what the client sent. Throws an Error whose message lists every problem. */
  readonly parseLaunch: (raw: unknown) => LaunchConfiguration;
  /** Whether guest consoles are shown by somebody else (terminals); otherwise their text goes to the debug console. */
  readonly consolesElsewhere: boolean;
}

type Handler = (values: unknown) => Promise<object | undefined>;

/** Features of the protocol that work here; nothing else is announced. */
export const capabilities: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsExceptionInfoRequest: true,
  supportsExceptionFilterOptions: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsSteppingGranularity: true,
  supportsInstructionBreakpoints: true,
  supportsDataBreakpoints: true,
  supportsBreakpointLocationsRequest: true,
  supportsGotoTargetsRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsValueFormattingOptions: true,
};

export class RingsideDebugAdapter extends DebugSession {
  private readonly target: DebugTarget;
  private readonly breakpoints: BreakpointRequests;
  private readonly inspection: InspectionRequests;
  private readonly exceptions: ExceptionRequests;
  private readonly handlers: ReadonlyMap<string, Handler>;
  private launched: LaunchResult | undefined;
  private configured!: () => void;
  private readonly configurationDone = new Promise<void>((resolve) => (this.configured = resolve));
  private stopOnEntry = false;
  private gone = false;

  constructor(private readonly options: AdapterOptions) {
    super();
    this.target = options.target;
    this.breakpoints = new BreakpointRequests(this.target);
    this.inspection = new InspectionRequests(this.target);
    this.exceptions = new ExceptionRequests(this.target);
    this.handlers = new Map<string, Handler>([
      ['initialize', (values) => this.initialize(values)],
      ['launch', (values) => this.launch(values)],
      ['configurationDone', () => this.startGuest()],
      ['restart', (values) => this.restart(values)],
      ['disconnect', () => this.end()],
      ['terminate', () => this.end()],
      ['threads', () => this.threads()],
      ['continue', () => this.resume()],
      ['pause', () => this.done(this.target.pause())],
      ['next', (values) => this.step(values, 'over')],
      ['stepIn', (values) => this.step(values, 'in')],
      ['stepOut', (values) => this.step(values, 'out')],
      ['gotoTargets', (values) => this.gotoTargets(values)],
      ['goto', (values) => this.goTo(values)],
      ['ringside/nextRingEvent', (values) => this.done(this.target.nextRingEvent(readFields(values).text('device')))],
      ['ringside/violations', async () => ({ violations: toPlain(await this.target.violations()) })],
      ['ringside/policy', async () => ({ entries: toPlain(await this.target.policy()) })],
      ['ringside/setPolicy', (values) => this.setPolicy(values)],
      ...this.breakpoints.handlers(),
      ...this.inspection.handlers(),
      ...this.exceptions.handlers(),
    ]);
    this.target.onEvent((event) => this.onTarget(event));
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.answer(request);
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const response = new Response(request);
    try {
      const handler = this.handlers.get(request.command);
      if (handler === undefined) throw new Error(`Ringside does not know the request "${request.command}".`);
      const body = await handler(request.arguments);
      if (body !== undefined) (response as DebugProtocol.Response).body = body;
      this.sendResponse(response);
    } catch (error) {
      // The text is shown as it is: braces are placeholders in the protocol and must not be filled in.
      const format = '{_text}';
      const variables = { _text: error instanceof Error ? error.message : String(error) };
      this.sendErrorResponse(response, {
        id: 1,
        format,
        variables,
        showUser: request.command === 'launch' || request.command === 'restart',
      });
      return;
    }
    if (request.command === 'initialize') this.sendEvent(new Event('initialized'));
    if (request.command === 'disconnect') this.shutdown();
  }

  private async initialize(values: unknown): Promise<object> {
    this.inspection.client(values);
    return { ...capabilities, ...(await this.exceptions.filters()) };
  }

  private async launch(values: unknown): Promise<undefined> {
    const configuration = this.options.parseLaunch(values);
    this.launched = await this.target.launch(configuration);
    this.stopOnEntry = configuration.stopOnEntry;
    this.tell(this.launched);
    // The guest runs once breakpoints and filters are in place.
    void this.configurationDone
      .then(() => this.firstRun())
      .catch((error: unknown) => this.say('important', String(error)));
    return undefined;
  }

  private startGuest(): Promise<undefined> {
    this.configured();
    return Promise.resolve(undefined);
  }

  private async firstRun(): Promise<void> {
    await this.breakpoints.placeAgain();
    if (this.stopOnEntry) this.stopped({ kind: 'entry' }, 0);
    else await this.target.resume();
  }

  private async restart(values: unknown): Promise<undefined> {
    const raw = readFields(values).value('arguments');
    const configuration = raw === undefined ? undefined : this.options.parseLaunch(raw);
    if (configuration !== undefined) this.stopOnEntry = configuration.stopOnEntry;
    this.launched = await this.target.restart(configuration);
    this.tell(this.launched);
    this.inspection.forget();
    await this.firstRun();
    return undefined;
  }

  private async end(): Promise<undefined> {
    this.gone = true;
    await this.target.terminate();
    this.sendEvent(new Event('terminated'));
    return undefined;
  }

  private async threads(): Promise<object> {
    const harts = this.launched === undefined ? [] : await this.target.harts();
    return {
      threads: harts.map(({ hart, state, mode }) => ({
        id: hart + 1,
        name: `hart ${hart} (${state === 'running' ? `${mode}-mode` : state})`,
      })),
    };
  }

  private async resume(): Promise<object> {
    await this.target.resume();
    return { allThreadsContinued: true };
  }

  private async step(values: unknown, kind: 'in' | 'over' | 'out'): Promise<undefined> {
    const fields = readFields(values);
    await this.target.step(
      this.hart(fields.whole('threadId')),
      kind,
      fields.text('granularity') === 'instruction' ? 'instruction' : 'line',
    );
    return undefined;
  }

  private async gotoTargets(values: unknown): Promise<object> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path') ?? '';
    const line = fields.whole('line') ?? 0;
    const addresses = await this.target.addressesOf(path, line);
    return {
      targets: addresses.map((address, index) => ({
        id: this.inspection.rememberAddress(address),
        label: addresses.length === 1 ? `line ${line}` : `line ${line}, copy ${index + 1}`,
        line,
        instructionPointerReference: memoryReference(address),
      })),
    };
  }

  private async goTo(values: unknown): Promise<undefined> {
    const fields = readFields(values);
    const address = this.inspection.address(fields.whole('targetId') ?? 0);
    const hart = this.hart(fields.whole('threadId'));
    await this.target.setPc(hart, address);
    this.inspection.forget();
    this.sendEvent(new Event('stopped', { reason: 'goto', threadId: hart + 1, allThreadsStopped: true }));
    return undefined;
  }

  private async setPolicy(values: unknown): Promise<undefined> {
    const wanted = parseSetPolicy(values);
    if (wanted === undefined)
      throw new Error(
        'ringside/setPolicy: expected { origin: filter, tree or mute, entries: [{ pattern, action, device?, condition? }] }.',
      );
    await this.target.setPolicy(wanted.origin, wanted.entries);
    return undefined;
  }

  private hart(thread: number | undefined): number {
    const harts = this.launched?.harts ?? 1;
    if (thread === undefined || thread < 1 || thread > harts)
      throw new Error(`There is no thread ${thread ?? '(none given)'}: the guest has ${harts} harts.`);
    return thread - 1;
  }

  private onTarget(event: TargetEvent): void {
    if (this.gone && event.kind !== 'crashed') return;
    switch (event.kind) {
      case 'launched':
        return;
      case 'stopped':
        this.stopped(event.reason, event.hart);
        return;
      case 'continued':
        this.inspection.forget();
        this.sendEvent(new Event('continued', { threadId: 1, allThreadsContinued: true }));
        return;
      case 'message':
        this.say(event.severity === 'info' ? 'console' : 'important', event.text);
        return;
      case 'console':
        if (!this.options.consolesElsewhere) this.sendEvent(new OutputEvent(latin1(event.bytes), 'stdout'));
        return;
      case 'violation':
        this.sendEvent(new Event('ringside/violation', toPlain(event.violation)));
        return;
      case 'policy-changed':
        this.sendEvent(new Event('ringside/policyChanged', {}));
        return;
      case 'finished':
        this.say(
          'console',
          event.outcome === 'fail'
            ? `The guest ended with failure code ${event.code}.`
            : `The guest ended (${event.outcome}).`,
        );
        this.sendEvent(new Event('exited', { exitCode: event.code }));
        this.sendEvent(new Event('terminated'));
        return;
      case 'crashed':
        this.say('important', event.text);
        this.sendEvent(new Event('terminated'));
        return;
    }
  }

  private stopped(reason: StopReason, hart: number): void {
    this.inspection.forget();
    this.inspection.stoppedAt(reason, hart);
    this.exceptions.note(reason, hart);
    this.sendEvent(new Event('stopped', { threadId: hart + 1, allThreadsStopped: true, ...stopBody(reason) }));
  }

  private tell(result: LaunchResult): void {
    for (const note of result.notes) this.say('console', note);
    if (!result.hasDebugInformation)
      this.say(
        'console',
        'The guest has no line tables: stepping and breakpoints work by instruction (Disassembly view).',
      );
  }
  private say(category: 'console' | 'important', text: string): void {
    this.sendEvent(new OutputEvent(`${text}\n`, category));
  }
  /** A response without a body, once the work is done. */
  private async done(work: Promise<void>): Promise<undefined> {
    await work;
    return undefined;
  }
}

function stopBody(reason: StopReason): Omit<DebugProtocol.StoppedEvent['body'], 'threadId'> {
  switch (reason.kind) {
    case 'entry':
    case 'pause':
    case 'step':
      return { reason: reason.kind };
    case 'breakpoint':
      return { reason: 'breakpoint', hitBreakpointIds: [...reason.ids] };
    case 'data-breakpoint':
      return { reason: 'data breakpoint', description: 'Paused on data breakpoint', text: reason.description };
    case 'violation':
      return {
        reason: 'exception',
        description: `Paused on violation: ${reason.violation.title}`,
        text: violationTitle(reason.violation),
      };
    case 'ring-event':
      return { reason: 'step', description: `Ring event: ${reason.description}`, text: reason.description };
    case 'trap':
      return { reason: 'exception', description: 'Paused: the guest is lost', text: reason.description };
    case 'stuck':
      return { reason: 'pause', description: 'Paused: the guest sleeps for ever', text: reason.description };
  }
}

/** Console bytes as text, one character each; terminals get the bytes themselves. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
