// Going back: the ways that a client has into the past of a session, as protocol messages. [Debug Adapter Protocol: stepBack,
// reverseContinue; design: history and time travel]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Session } from '../../extension/worker/session';
import { InspectedSession } from '../../extension/worker/inspected-session';
import { Client } from './client';
import { type Frames, launchSample, sampleConfiguration, type Stopped } from './sample';

const launch = (
  guest: 'correct' | 'faulty',
  more?: object,
  configure?: (client: Client) => Promise<unknown>,
): Promise<{ client: Client; session: InspectedSession }> =>
  launchSample(new InspectedSession(), guest, more, configure);
const top = async (client: Client): Promise<DebugProtocol.StackFrame | undefined> =>
  (await client.request<Frames>('stackTrace', { threadId: 1 })).stackFrames[0];
async function move(client: Client, request: string, values: object = {}): Promise<Stopped> {
  await client.request(request, { threadId: 1, ...values });
  return client.event<Stopped>('stopped');
}
const atFunction = (name: string) => (client: Client) =>
  client.request('setFunctionBreakpoints', { breakpoints: [{ name }] });
const noBreakpoints = (client: Client) => client.request('setFunctionBreakpoints', { breakpoints: [] });
const place = (session: Session): { step: number | undefined; hash: string | undefined } => ({
  step: session.machine?.steps,
  hash: session.machine?.stateHash(),
});

test('Previous Ring Event walks the events that Next Ring Event stopped at, back in order, and forward again', async () => {
  const { client, session } = await launch('correct', {}, atFunction('virtqueue_publish'));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  const forward: { text: string | undefined; at: ReturnType<typeof place> }[] = [];
  for (let i = 0; i < 25; i++) {
    const { text } = await move(client, 'ringside/nextRingEvent');
    forward.push({ text, at: place(session) });
  }
  for (const expected of [...forward].reverse().slice(1)) {
    const { text } = await move(client, 'ringside/previousRingEvent');
    assert.equal(text, expected.text);
    assert.deepEqual(place(session), expected.at);
  }
  for (const expected of forward.slice(1)) {
    const { text } = await move(client, 'ringside/nextRingEvent');
    assert.equal(text, expected.text);
    assert.deepEqual(place(session), expected.at);
  }
  await client.request('disconnect');
});

test('stepping back by instruction undoes stepping forward', async () => {
  const { client, session } = await launch('correct', {}, atFunction('virtqueue_publish'));
  await client.event<Stopped>('stopped');
  const places = [place(session)];
  for (let i = 0; i < 12; i++) {
    await move(client, 'stepIn', { granularity: 'instruction' });
    places.push(place(session));
  }
  for (const expected of places.reverse().slice(1)) {
    await move(client, 'stepBack', { granularity: 'instruction' });
    assert.deepEqual(place(session), expected);
  }
  await client.request('disconnect');
});

test('stepping back by line undoes Step Over, calls included, and leaves a function for its caller', async () => {
  const { client } = await launch('correct', {}, atFunction('main'));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  const lines: (number | undefined)[] = [(await top(client))?.line];
  for (let i = 0; i < 4; i++) {
    await move(client, 'next');
    lines.push((await top(client))?.line);
  }
  for (const expected of lines.reverse().slice(1)) {
    await move(client, 'stepBack');
    const frame = await top(client);
    assert.equal(frame?.name, 'main');
    assert.equal(frame.line, expected);
  }
  await client.request('disconnect');
});

test('stepping back out of the beginning of a function leads to the line of its call', async () => {
  const { client } = await launch('correct', {}, atFunction('virtqueue_publish'));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  const { stackFrames } = await client.request<Frames>('stackTrace', { threadId: 1 });
  const [callee, caller] = stackFrames;
  let frame = callee;
  for (let i = 0; i < 3 && frame?.name === callee?.name; i++) {
    await move(client, 'stepBack');
    frame = await top(client);
  }
  assert.equal(frame?.name, caller?.name);
  assert.equal(frame?.line, caller?.line);
  await client.request('disconnect');
});

test('Reverse ends at the last breakpoint; before the first one it ends where the history begins', async () => {
  const { client, session } = await launch('correct', {}, atFunction('virtqueue_publish'));
  const stops: ReturnType<typeof place>[] = [];
  for (let i = 0; i < 3; i++) {
    await client.event<Stopped>('stopped');
    stops.push(place(session));
    await client.request('continue', { threadId: 1 });
  }
  await client.event<Stopped>('stopped');
  for (const expected of stops.reverse()) {
    const stopped = await move(client, 'reverseContinue');
    assert.equal(stopped.reason, 'breakpoint');
    assert.equal(stopped.hitBreakpointIds?.length, 1);
    assert.deepEqual(place(session), expected);
  }
  const first = await move(client, 'reverseContinue');
  assert.equal(first.description, 'Paused where the history begins');
  assert.equal(session.machine?.steps, 0);
  await client.request('disconnect');
});

test('Reverse ends in front of the access of an earlier violation, which is found again', async () => {
  const { client, session } = await launch('faulty');
  const first = await client.event<Stopped>('stopped');
  const at = place(session);
  await client.request('continue', { threadId: 1 });
  await client.event<Stopped>('stopped');
  const back = await move(client, 'reverseContinue');
  assert.equal(back.reason, 'exception');
  assert.equal(back.text, first.text);
  assert.deepEqual(place(session), at);
  const picture = await session.inspect({});
  assert.equal(picture.session, 'violation');
  assert.match(picture.past ?? '', /in the past$/);
  await client.request('disconnect');
});

test('Reverse honours data breakpoints: the last store to a variable', async () => {
  const { client, session } = await launch('correct', {}, atFunction('virtqueue_publish'));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  const symbol = session.symbols?.addressOf('virtqueue_publish');
  assert.ok(symbol !== undefined);
  const { events } = session.machine?.monitor ?? {};
  await move(client, 'ringside/nextRingEvent');
  const store = events
    ?.slice()
    .filter((event) => event.kind === 'ring-store' || event.kind === 'publish')
    .at(-1);
  assert.ok(store?.by === 'driver');
  const address = store.kind === 'ring-store' ? store.physicalAddress : undefined;
  assert.ok(address !== undefined);
  for (let i = 0; i < 10; i++) await move(client, 'ringside/nextRingEvent');
  await client.request('ringside/breakWhenChanges', { address: `0x${address.toString(16)}`, bytes: 2 });
  const stopped = await move(client, 'reverseContinue');
  assert.equal(stopped.reason, 'data breakpoint');
  await client.request('disconnect');
});

test('the picture of the past shows what came after it; any event is reached, and the live end', async () => {
  const { client, session } = await launch('correct', {}, atFunction('virtqueue_publish'));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  for (let i = 0; i < 12; i++) await move(client, 'ringside/nextRingEvent');
  const live = place(session);
  const whole = await session.inspect({});
  assert.equal(whole.past, null);
  const wanted = whole.events.filter(({ mark }) => mark !== 'violation').at(-6);
  assert.ok(wanted !== undefined);
  await move(client, 'ringside/goToEvent', { index: wanted.index - 1 });
  const past = await session.inspect({});
  assert.equal(past.eventIndex, wanted.index);
  assert.equal(past.eventCount, whole.eventCount);
  assert.match(past.past ?? '', /in the past$/);
  assert.deepEqual(
    past.events.filter(({ ahead }) => ahead === true).map(({ index }) => index),
    whole.events.filter(({ index }) => index > wanted.index).map(({ index }) => index),
  );
  await move(client, 'ringside/goToLiveEnd');
  assert.deepEqual(place(session), live);
  assert.equal((await session.inspect({})).past, null);
  await client.request('disconnect');
});

test('a change in the past begins another run and says so; what was found behind is withdrawn', async () => {
  const { client, session } = await launch('faulty');
  await client.event<Stopped>('stopped');
  await client.request('continue', { threadId: 1 });
  await client.event<Stopped>('stopped');
  assert.ok(session.allViolations().length >= 2);
  await move(client, 'reverseContinue');
  await client.request('setExpression', { expression: '$t6', value: '5', frameId: (await top(client))?.id });
  const forked = await client.event<{ violations: readonly number[] }>('ringside/forked');
  assert.equal(forked.violations.length, 1);
  const said = client.events
    .filter(({ event }) => event === 'output')
    .map(({ body }) => (body as { output: string }).output);
  assert.ok(
    said.some((text) => /goes another way/.test(text)),
    said.join(''),
  );
  assert.equal((await session.inspect({})).past, null);
  await client.request('disconnect');
});

test('console output of the past is not repeated, and going on from it reaches the same end', async () => {
  const session = new InspectedSession();
  let text = '';
  session.onEvent((event) => {
    if (event.kind === 'console') text += String.fromCharCode(...event.bytes);
  });
  const client = new Client(session);
  await client.start(sampleConfiguration('correct'), () => atFunction('write_and_verify')(client));
  await client.event<Stopped>('stopped');
  await noBreakpoints(client);
  assert.match(text, /sector 3: /);
  const first = await move(client, 'reverseContinue');
  assert.equal(first.description, 'Paused where the history begins');
  await client.request('continue', { threadId: 1 });
  await client.event('exited');
  assert.equal(text.split('sector 3: ').length, 2);
  assert.match(text, /written, flushed and verified/);
  await client.request('disconnect');
});

test('without a history the ways back are not announced and refused', async () => {
  const { client } = await launch('correct', { history: 'off', stopOnEntry: true });
  await client.event<Stopped>('stopped');
  assert.ok(!client.events.some(({ event }) => event === 'capabilities'));
  const response = await client.send('stepBack', { threadId: 1 });
  assert.equal(response.success, false);
  await client.request('disconnect');
});
