// Any client may send anything at any time: every request gets exactly one response, nothing is thrown, and the session still ends in
// good order. Requests are drawn from the protocol's own commands with arguments that are nearly right, far off, or no object at all.
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import fc from 'fast-check';
import { RingsideDebugAdapter } from '../../extension/debug/adapter';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { Session } from '../../extension/worker/session';
import { lineOf, sampleConfiguration, sampleFolder } from './sample';

interface Sent {
  readonly command: string;
  readonly values: unknown;
}

/** An adapter that counts its answers. */
class Listener {
  readonly adapter: RingsideDebugAdapter;
  readonly events: DebugProtocol.Event[] = [];
  private readonly answers = new Map<number, DebugProtocol.Response[]>();
  private readonly waiting = new Map<number, () => void>();
  private sequence = 1;

  constructor() {
    this.adapter = new RingsideDebugAdapter({
      target: new Session(),
      parseLaunch: (raw) => parseLaunchConfiguration(raw, { resolvePath: (file) => file, mayWriteFiles: false }),
      consolesElsewhere: false,
    });
    this.adapter.onDidSendMessage((message) => {
      // What leaves the adapter must survive the way to the client.
      const sent = JSON.parse(JSON.stringify(message)) as DebugProtocol.ProtocolMessage;
      if (sent.type === 'event') this.events.push(sent as DebugProtocol.Event);
      if (sent.type !== 'response') return;
      const response = sent as DebugProtocol.Response;
      this.answers.set(response.request_seq, [...(this.answers.get(response.request_seq) ?? []), response]);
      this.waiting.get(response.request_seq)?.();
    });
  }

  async send({ command, values }: Sent): Promise<DebugProtocol.Response> {
    const seq = this.sequence++;
    const answered = new Promise<void>((resolve) => this.waiting.set(seq, resolve));
    this.adapter.handleMessage({ seq, type: 'request', command, arguments: values } as DebugProtocol.Request);
    await answered;
    return this.answersTo(seq)[0]!;
  }
  answersTo(seq: number): readonly DebugProtocol.Response[] {
    return this.answers.get(seq) ?? [];
  }
  get requests(): number {
    return this.sequence - 1;
  }
}

const file = path.join(sampleFolder, 'main.c');
const whole = fc.oneof(
  fc.integer({ min: -3, max: 12 }),
  fc.constantFrom(65_536, 2 ** 31, 2 ** 32 + 1, 2 ** 53 - 1, -(2 ** 53), 1.5, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constant(lineOf('main.c', 'print_bytes(sector, length);')),
);
const text = fc.oneof(
  fc.constantFrom(
    '',
    '((((',
    '-1',
    '%3',
    '{text}',
    'constructor',
    '__proto__',
    '0x10000000000000000',
    'AAAA',
    'instruction',
  ),
  fc.string({ maxLength: 12 }),
);
const oneOf = (...good: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: text });
const expression = oneOf(
  'text',
  'text[0]',
  '$pc',
  '$a0',
  '*(int*)0',
  '1/0',
  '&text',
  'sizeof(text)',
  'main',
  '1 << 70',
  '*text',
);
const reference = oneOf('0x80000000', 'physical:0x80000000', '0xffffffffffffffff', '0x0', '0x10008000', '2147483648');
const dataId = oneOf(
  '0x80000000/8',
  'physical:0x80000000/4',
  '0xffffffffffffffff/4096',
  'physical:0xffffffffffffffff/1',
  '0x80000000/0',
);
const register = oneOf('a0', 'pc', 'mstatus', 'zero', 'ft0', 'text', '[0]', '[999999999]');
const value = oneOf('0x1234', '7', '-1', '0xffffffffffffffffff', '1e9', 'text');
const rule = oneOf('handshake', 'ring', 'must', '*', 'init.no-acknowledge');
const condition = oneOf('', 'text[0] == 0', '$pc > 0', '5', '%3', 'nonsense +');
const junk: fc.Arbitrary<unknown> = fc.oneof(
  whole,
  text,
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 2 }),
);
const field = <Value>(good: fc.Arbitrary<Value>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: junk });
const list = (good: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => field(fc.array(field(good), { maxLength: 3 }));
const record = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary: fc.record(fields, { requiredKeys: [] }) }, { weight: 1, arbitrary: junk });

const thread = { threadId: field(fc.constant(1)) };
const frameId = field(fc.integer({ min: 0, max: 6 }));
const source = record({ path: field(fc.constantFrom(file, '/nowhere.c')) });
const conditions = { condition, hitCondition: condition };
const format = record({ hex: field(fc.boolean()) });
const launchArguments = fc.oneof(
  fc.constantFrom(
    sampleConfiguration('correct', { clock: 'warp' }),
    sampleConfiguration('faulty', { clock: 'warp', noDebug: true }),
  ),
  record({
    program: text,
    memory: text,
    harts: whole,
    devices: list(record({ type: text, image: text, features: list(text) })),
  }),
);

/** The protocol, as far as this adapter speaks it. */
const requests: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  initialize: record({ adapterID: text, linesStartAt1: field(fc.boolean()), columnsStartAt1: field(fc.boolean()) }),
  launch: launchArguments,
  restart: record({ arguments: launchArguments }),
  configurationDone: record({}),
  threads: record({}),
  continue: record(thread),
  pause: record(thread),
  next: record({ ...thread, granularity: oneOf('line', 'instruction') }),
  stepIn: record({ ...thread, granularity: oneOf('line', 'instruction') }),
  stepOut: record({ ...thread, granularity: oneOf('line', 'instruction') }),
  gotoTargets: record({ source, line: whole }),
  goto: record({ ...thread, targetId: whole }),
  setBreakpoints: record({ source, breakpoints: list(record({ line: whole, logMessage: text, ...conditions })) }),
  setFunctionBreakpoints: record({ breakpoints: list(record({ name: oneOf('main', 'virtqueue_publish'), ...conditions })) }),
  setInstructionBreakpoints: record({ breakpoints: list(record({ instructionReference: reference, offset: whole, ...conditions })) }),
  dataBreakpointInfo: record({ name: oneOf('text', '0x80000000'), variablesReference: whole, frameId, asAddress: field(fc.boolean()), bytes: whole }),
  setDataBreakpoints: record({ breakpoints: list(record({ dataId, accessType: text })) }),
  breakpointLocations: record({ source, line: whole, endLine: whole }),
  setExceptionBreakpoints: record({ filters: list(rule), filterOptions: list(record({ filterId: rule, condition: oneOf('', 'device == "vda"', 'queue == 0', 'count < ', 'nothing == 1') })) }),
  exceptionInfo: record(thread),
  stackTrace: record({ ...thread, startFrame: whole, levels: whole }),
  scopes: record({ frameId }),
  variables: record({ variablesReference: whole, start: whole, count: whole, format }),
  setVariable: record({ variablesReference: whole, name: register, value }),
  evaluate: record({ expression, frameId, format }),
  setExpression: record({ expression, value, frameId }),
  readMemory: record({ memoryReference: reference, offset: whole, count: whole }),
  writeMemory: record({ memoryReference: reference, offset: whole, data: text, allowPartial: field(fc.boolean()) }),
  disassemble: record({ memoryReference: reference, offset: whole, instructionOffset: whole, instructionCount: whole }),
  'ringside/nextRingEvent': record({ device: oneOf('vda', 'rng') }),
  'ringside/violations': record({}),
  'ringside/policy': record({}),
  'ringside/setPolicy': record({ origin: field(fc.constantFrom('filter', 'tree', 'mute')), entries: list(record({ pattern: rule, action: oneOf('break', 'report', 'off'), device: oneOf('vda'), condition: oneOf('queue == 0') })) }),
  'ringside/breakWhenChanges': record({ address: reference, bytes: whole }),
  'ringside/dataBreakpoints': record({}),
  'ringside/removeDataBreakpoint': record({ dataId }),
}; // prettier-ignore

const known = Object.keys(requests).map((command) => requests[command]!.map((values): Sent => ({ command, values })));
const anyRequest: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 12, arbitrary: fc.oneof(...known) },
  { weight: 1, arbitrary: fc.record({ command: text, values: junk }) },
);

/** Sends all, some before the answer to the one before has come, and ends the session. */
async function play(listener: Listener, sent: readonly (Sent & { readonly waits: boolean })[]): Promise<void> {
  const open: Promise<DebugProtocol.Response>[] = [];
  for (const one of sent) {
    const answered = listener.send(one);
    open.push(answered);
    if (one.waits) await answered;
  }
  await Promise.all(open);
  const end = await listener.send({ command: 'disconnect', values: {} });
  assert.equal(end.success, true, 'disconnect always succeeds');
  for (let seq = 1; seq <= listener.requests; seq++)
    assert.equal(
      listener.answersTo(seq).length,
      1,
      `answers to ${JSON.stringify(sent[seq - 1] ?? 'launch or disconnect')}`,
    );
  assert.ok(listener.events.filter((event) => event.event === 'terminated').length <= 1, 'terminated is told once');
}

const script = (least: number, most: number): fc.Arbitrary<(Sent & { waits: boolean })[]> =>
  fc.array(
    fc.tuple(anyRequest, fc.boolean()).map(([one, waits]) => ({ ...one, waits })),
    { minLength: least, maxLength: most },
  );

test('without a guest every request gets exactly one answer', async () => {
  await fc.assert(
    fc.asyncProperty(script(1, 12), (sent) =>
      play(
        new Listener(),
        sent.filter((one) => one.command !== 'launch'),
      ),
    ),
    { numRuns: 200 },
  );
});

test('with a guest every request gets exactly one answer', async () => {
  await fc.assert(
    fc.asyncProperty(script(40, 80), async (sent) => {
      const listener = new Listener();
      await listener.send({ command: 'initialize', values: {} });
      const values = sampleConfiguration('faulty', { clock: 'warp' });
      assert.equal((await listener.send({ command: 'launch', values })).success, true);
      await listener.send({ command: 'configurationDone', values: {} });
      await play(listener, sent);
    }),
    { numRuns: 15, interruptAfterTimeLimit: 120_000 },
  );
});

test('what is no request is passed over', () => {
  const { adapter, events } = new Listener();
  for (const message of [{}, { type: 'event' }, { type: 'response', request_seq: 7 }, { type: 'reverse', seq: -1 }])
    adapter.handleMessage(message as DebugProtocol.ProtocolMessage);
  assert.deepEqual(events, []);
});
