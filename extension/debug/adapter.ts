// The Debug Adapter Protocol over a DebugTarget: translates, and keeps nothing that the target knows. Runs inside VS Code, as a process
// for other editors, and under protocol tests. [Debug Adapter Protocol 1.68]
// Guarantees: every request gets exactly one response; a failure is an error response with a readable text; what a request sets in
// motion is told after its response.
import { DebugSession, Event, OutputEvent, Response } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { BreakpointRequests } from './breakpoint-requests';
import { capabilities } from './capabilities';
import { ClientLines } from './client-lines';
import { parseSetPolicy, toPlain } from './custom-requests';
import { DataBreakpointRequests } from './data-breakpoint-requests';
import { ExceptionRequests } from './exception-requests';
import { InspectionRequests } from './inspection-requests';
import type { LaunchConfiguration } from './launch-configuration';
import { memoryReference, readFields } from './protocol-values';
import { stopBody } from './stop-event';
import type { DebugTarget, LaunchResult, StopReason, TargetEvent } from './target';

export interface AdapterOptions {
  readonly target: DebugTarget;
  /** Checks what the client sent. Throws an Error whose message lists every problem. */
  readonly parseLaunch: (raw: unknown) => LaunchConfiguration;
  /** Whether guest consoles are shown by somebody else (terminals); otherwise their text goes to the debug console. */
  readonly consolesElsewhere: boolean;
}

/** Motions that clients do not know as such: `continued` is told, in front of the response. */
const unexpectedMotions: ReadonlySet<string> = new Set([
  'restart',
  'ringside/nextRingEvent',
  'ringside/previousRingEvent',
  'ringside/goToEvent',
  'ringside/goToLiveEnd',
]);

type Handler = (values: unknown) => Promise<object | undefined>;

/**
 * Requests after which the guest moves or stops. Clients take the response as "it runs now", so a stop that came before it would be
 * forgotten: what the target tells meanwhile is held back. They need no `continued` event, and one directly in front of `stopped` makes
 * them forget the stop as well.
 */
const motions: ReadonlySet<string> = new Set([
  'launch', 'continue', 'pause', 'next', 'stepIn', 'stepOut', 'goto', 'restart', 'configurationDone', 'ringside/nextRingEvent',
  'ringside/previousRingEvent', 'ringside/goToEvent', 'ringside/goToLiveEnd', 'stepBack', 'reverseContinue',
]); // prettier-ignore

export class RingsideDebugAdapter extends DebugSession {
  private readonly target: DebugTarget;
  private readonly lines = new ClientLines();
  private readonly breakpoints: BreakpointRequests;
  private readonly dataBreakpoints: DataBreakpointRequests;
  private readonly inspection: InspectionRequests;
  private readonly exceptions: ExceptionRequests;
  private readonly handlers: ReadonlyMap<string, Handler>;
  private launched: LaunchResult | undefined;
  private configured = false;
  private stopOnEntry = false;
  /** Motions whose response is not out yet, and what the target told meanwhile. */
  private moving = 0;
  private held: TargetEvent[] = [];
  private restarting = false;
  private gone = false;
  private toldEnd = false;

  constructor(private readonly options: AdapterOptions) {
    super();
    this.target = options.target;
    const newId = counter();
    this.inspection = new InspectionRequests(this.target, this.lines);
    this.breakpoints = new BreakpointRequests(this.target, this.lines, newId);
    this.dataBreakpoints = new DataBreakpointRequests(this.target, this.inspection, newId);
    this.exceptions = new ExceptionRequests(this.target);
    this.handlers = new Map<string, Handler>([
      ['initialize', (values) => this.initialize(values)],
      ['launch', (values) => this.launch(values)],
      ['configurationDone', () => this.configurationDone()],
      ['restart', (values) => this.restart(values)],
      ['disconnect', () => this.end()],
      ['terminate', () => this.end()],
      ['threads', () => this.threads()],
      ['continue', () => this.resume()],
      ['pause', () => this.done(this.target.pause())],
      ['next', (values) => this.step(values, 'over')],
      ['stepIn', (values) => this.step(values, 'in')],
      ['stepOut', (values) => this.step(values, 'out')],
      ['stepBack', (values) => this.stepBack(values)],
      ['reverseContinue', () => this.done(this.target.reverseContinue())],
      ['gotoTargets', (values) => this.gotoTargets(values)],
      ['goto', (values) => this.goTo(values)],
      ['ringside/nextRingEvent', (values) => this.done(this.target.nextRingEvent(readFields(values).text('device')))],
      [
        'ringside/previousRingEvent',
        (values) => this.done(this.target.previousRingEvent(readFields(values).text('device'))),
      ],
      ['ringside/goToEvent', (values) => this.goToEvent(values)],
      ['ringside/goToLiveEnd', () => this.done(this.target.goToLiveEnd())],
      ['ringside/violations', async () => ({ violations: toPlain(await this.target.violations()) })],
      ['ringside/policy', async () => ({ entries: toPlain(await this.target.policy()) })],
      ['ringside/setPolicy', (values) => this.setPolicy(values)],
      ...this.breakpoints.handlers(),
      ...this.dataBreakpoints.handlers(),
      ...this.inspection.handlers(),
      ...this.exceptions.handlers(),
    ]);
    this.target.onEvent((event) => this.hear(event));
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.answer(request);
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const { command } = request;
    const response = new Response(request);
    const moves = motions.has(command);
    if (moves) this.moving++;
    let served = true;
    try {
      const handler = this.handlers.get(command);
      if (handler === undefined) throw new Error(`Ringside does not know the request "${command}".`);
      const body = await handler(request.arguments);
      if (body !== undefined) (response as DebugProtocol.Response).body = body;
      if (unexpectedMotions.has(command)) this.continued();
      this.sendResponse(response);
    } catch (error) {
      served = false;
      // The text is shown as it is: braces are placeholders in the protocol and must not be filled in.
      const format = '{_text}';
      const variables = { _text: error instanceof Error ? error.message : String(error) };
      const showUser = command === 'launch' || command === 'restart';
      this.sendErrorResponse(response, { id: 1, format, variables, showUser });
    }
    if (moves) this.moving--;
    this.tellHeld();
    if (served && command === 'launch') await this.afterLaunch();
    if (command === 'disconnect') this.shutdown();
  }

  private async initialize(values: unknown): Promise<object> {
    this.lines.adopt(values);
    return { ...capabilities, ...(await this.exceptions.filters()) };
  }

  private async launch(values: unknown): Promise<undefined> {
    if (this.launched !== undefined) throw new Error('The guest is loaded already: restart it instead.');
    const configuration = await this.configuration(values);
    this.launched = await this.target.launch(configuration);
    this.stopOnEntry = configuration.stopOnEntry;
    this.inspection.guest(this.launched);
    this.tell(this.launched);
    return undefined;
  }

  /** `initialized` asks for breakpoints and filters. They can only be placed in a guest that is loaded, so it comes this late. */
  private async afterLaunch(): Promise<void> {
    try {
      await this.placeBreakpoints();
      // Whether there is a past depends on the launch configuration, which comes behind `initialize`.
      if (this.launched?.hasHistory === true)
        this.sendEvent(new Event('capabilities', { capabilities: { supportsStepBack: true } }));
      this.sendEvent(new Event('initialized'));
      if (this.configured) await this.firstRun();
    } catch (error) {
      this.say('important', String(error));
    }
  }

  private async placeBreakpoints(): Promise<void> {
    for (const breakpoint of [...(await this.breakpoints.place()), ...(await this.dataBreakpoints.place())])
      this.sendEvent(new Event('breakpoint', { reason: 'changed', breakpoint }));
  }

  /** With `noDebug` the guest just runs: violations are reported, nothing stops. */
  private async configuration(values: unknown): Promise<LaunchConfiguration> {
    const configuration = this.options.parseLaunch(values);
    if (readFields(values).flag('noDebug') !== true) return configuration;
    this.breakpoints.ignore();
    this.dataBreakpoints.ignore();
    await this.exceptions.ignore();
    const rules = configuration.rules.map(({ pattern, action }) =>
      action === 'break' ? ({ pattern, action: 'report' } as const) : { pattern, action },
    );
    return { ...configuration, rules, stopOnEntry: false };
  }

  /** The guest runs once breakpoints and filters are in place. */
  private async configurationDone(): Promise<undefined> {
    const again = this.configured;
    this.configured = true;
    if (this.launched !== undefined && !again) await this.firstRun();
    return undefined;
  }

  private async firstRun(): Promise<void> {
    if (this.stopOnEntry) this.hear({ kind: 'stopped', reason: { kind: 'entry' }, hart: 0, step: 0 });
    else await this.target.resume();
  }

  private async restart(values: unknown): Promise<undefined> {
    if (this.launched === undefined) throw new Error('There is nothing to restart: launch first.');
    const raw = readFields(values).value('arguments');
    const configuration = raw === undefined ? undefined : await this.configuration(raw);
    if (configuration !== undefined) this.stopOnEntry = configuration.stopOnEntry;
    this.restarting = true;
    try {
      this.launched = await this.target.restart(configuration);
    } catch (error) {
      // The old guest is still there, and stands.
      this.held.push({ kind: 'stopped', reason: { kind: 'pause' }, hart: 0, step: 0 });
      throw error;
    } finally {
      this.restarting = false;
    }
    this.inspection.guest(this.launched);
    this.tell(this.launched);
    await this.placeBreakpoints();
    await this.firstRun();
    return undefined;
  }

  private async end(): Promise<undefined> {
    if (!this.gone) {
      this.gone = true;
      // Whether the target can still say goodbye or died before: the session is over.
      await this.target.terminate().catch((error: unknown) => this.say('console', String(error)));
    }
    this.terminated();
    return undefined;
  }

  private terminated(): void {
    if (!this.toldEnd) this.sendEvent(new Event('terminated'));
    this.toldEnd = true;
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
      this.inspection.hart(fields.value('threadId')),
      kind,
      fields.text('granularity') === 'instruction' ? 'instruction' : 'line',
    );
    return undefined;
  }

  private async stepBack(values: unknown): Promise<undefined> {
    const fields = readFields(values);
    const hart = this.inspection.hart(fields.value('threadId'));
    await this.target.stepBack(hart, fields.text('granularity') === 'instruction' ? 'instruction' : 'line');
    return undefined;
  }

  private async goToEvent(values: unknown): Promise<undefined> {
    const index = readFields(values).whole('index');
    if (index === undefined || index < 0)
      throw new Error('ringside/goToEvent: expected { index }, the place of an event in the stream.');
    await this.target.goToEvent(index);
    return undefined;
  }

  private async gotoTargets(values: unknown): Promise<object> {
    const fields = readFields(values);
    const path = readFields(fields.value('source')).text('path') ?? '';
    const line = fields.whole('line') ?? 0;
    const addresses = await this.target.addressesOf(path, this.lines.fromClient(line));
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
    const hart = this.inspection.hart(fields.value('threadId'));
    await this.target.setPc(hart, address);
    this.hear({ kind: 'stopped', reason: { kind: 'goto' }, hart, step: 0 });
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

  private hear(event: TargetEvent): void {
    if (this.restarting && (event.kind === 'stopped' || event.kind === 'continued')) return;
    if (this.moving === 0) this.tellEvent(event);
    else if (event.kind === 'continued') this.inspection.forget();
    else this.held.push(event);
  }

  private tellHeld(): void {
    if (this.moving > 0) return;
    const held = this.held;
    this.held = [];
    for (const event of held) this.tellEvent(event);
  }

  private tellEvent(event: TargetEvent): void {
    if (this.gone && event.kind !== 'crashed') return;
    switch (event.kind) {
      case 'launched':
        return;
      case 'stopped':
        this.stopped(event.reason, event.hart);
        return;
      case 'continued':
        this.continued();
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
      case 'forked':
        this.sendEvent(new Event('ringside/forked', { step: event.step, violations: event.violations }));
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
        this.terminated();
        return;
      case 'crashed':
        this.say('important', event.text);
        this.terminated();
        return;
    }
  }

  private continued(): void {
    this.inspection.forget();
    this.sendEvent(new Event('continued', { threadId: 1, allThreadsContinued: true }));
  }

  private stopped(reason: StopReason, hart: number): void {
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

/** Numbers of breakpoints, over all kinds: clients tell them apart by these. */
function counter(): () => number {
  let next = 1;
  return () => next++;
}

/** Console bytes as text, one character each; terminals get the bytes themselves. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
