// The debug adapter with a real machine and the sample guests: what a user does in a session, as protocol messages.
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Session } from '../../extension/worker/session';
import { Client, errorText } from './client';
import { type Frames, launchSample, lineOf, sampleConfiguration, sampleFolder, type Stopped } from './sample';

const launch = (
  guest: 'correct' | 'faulty',
  more?: object,
  configure?: (client: Client) => Promise<unknown>,
): Promise<{ client: Client; session: Session }> => launchSample(new Session(), guest, more, configure);
const frames = async (client: Client): Promise<DebugProtocol.StackFrame[]> =>
  (await client.request<Frames>('stackTrace', { threadId: 1 })).stackFrames;
const mainFile = path.join(sampleFolder, 'main.c');

test('a launch stops in front of the first violation, at the driver line, with rule, section, evidence and fix', async () => {
  const { client } = await launch('faulty');
  const stopped = await client.event<Stopped>('stopped');
  assert.equal(stopped.reason, 'exception');
  const [top, caller] = await frames(client);
  assert.match(top?.name ?? '', /mmio_write32/);
  assert.equal(caller?.source?.path, path.join(sampleFolder, 'faulty/virtio_mmio.c'));
  const info = await client.request<{ exceptionId: string; description: string; details: { typeName: string } }>(
    'exceptionInfo',
    { threadId: 1 },
  );
  assert.equal(info.details.typeName, 'init.no-acknowledge');
  assert.match(info.exceptionId, /virtio 1\.4, 3\.1\.1/);
  assert.match(info.description, /Fix: /);
  assert.match(info.description, /has not taken effect/);
  await client.request('disconnect');
});

test('continue executes the access once and stops at the next violation; the guest runs to its end', async () => {
  const { client } = await launch('faulty');
  const rules: string[] = [];
  for (;;) {
    const next = await client.oneOf('stopped', 'exited');
    if (next === 'exited') break;
    const info = await client.request<{ details: { typeName: string } }>('exceptionInfo', { threadId: 1 });
    rules.push(info.details.typeName);
    await client.request('continue', { threadId: 1 });
  }
  assert.ok(rules.length >= 4, `only ${rules.join(', ')}`);
  for (const rule of [
    'init.no-acknowledge',
    'features.over-accepted',
    'ownership.descriptor-changed',
    'interrupt.undefined-bits-acknowledged',
  ]) {
    assert.ok(rules.includes(rule), `${rule} is not among ${rules.join(', ')}`);
  }
});

test('the correct driver runs to its end without a stop', async () => {
  const { client, session } = await launch('correct');
  await client.event('terminated');
  assert.equal(client.events.filter((event) => event.event === 'stopped').length, 0);
  assert.deepEqual(session.allViolations(), []);
});

test('stopOnEntry stops before the first instruction', async () => {
  const { client } = await launch('correct', { stopOnEntry: true });
  assert.equal((await client.event<Stopped>('stopped')).reason, 'entry');
  const [top] = await frames(client);
  assert.equal(top?.instructionPointerReference, '0x80000000');
  await client.request('disconnect');
});

test('source breakpoints bind to lines, honour conditions and hit counts, and log', async () => {
  const line = lineOf('main.c', 'print_bytes(sector, length);');
  const { client } = await launch('correct', {}, async (c) => {
    const { breakpoints } = await c.request<{ breakpoints: DebugProtocol.Breakpoint[] }>('setBreakpoints', {
      source: { path: mainFile },
      breakpoints: [{ line, hitCondition: '2' }, { line: 100_000 }],
    });
    assert.equal(breakpoints[0]?.verified, true);
    assert.equal(breakpoints[0].line, line);
    assert.equal(breakpoints[1]?.verified, false);
    assert.match(breakpoints[1].message ?? '', /No code on line 100000/);
  });
  assert.equal((await client.event<Stopped>('stopped')).reason, 'breakpoint');
  const [top] = await frames(client);
  assert.equal(top?.line, line);
  assert.equal(top.source?.path, mainFile);
  await client.request('disconnect');
});

test('stepping by line goes in, over and out', async () => {
  const { client } = await launch('correct', {}, (c) =>
    c.request('setFunctionBreakpoints', { breakpoints: [{ name: 'main' }] }),
  );
  await client.event<Stopped>('stopped');
  const start = (await frames(client))[0];
  assert.equal(start?.name, 'main');
  const depth = (await frames(client)).length;
  await client.request('next', { threadId: 1 });
  await client.event<Stopped>('stopped', (body) => body.reason === 'step');
  const over = await frames(client);
  assert.equal(over.length, depth);
  assert.notEqual(over[0]?.line, start.line);
  // Into the first function of the driver that main calls, then back out.
  for (let i = 0; i < 50 && (await frames(client)).length === depth; i++) {
    await client.request('stepIn', { threadId: 1 });
    await client.event<Stopped>('stopped', (body) => body.reason === 'step');
  }
  const inside = await frames(client);
  assert.ok(inside.length > depth, 'step in never entered a function');
  while ((await frames(client)).length > depth) {
    await client.request('stepOut', { threadId: 1 });
    await client.event<Stopped>('stopped', (body) => body.reason === 'step');
  }
  assert.equal((await frames(client))[0]?.name, 'main');
  await client.request('disconnect');
});

test('registers, variables, memory and disassembly can be read and written at a stop', async () => {
  const { client } = await launch('correct', {}, (c) =>
    c.request('setFunctionBreakpoints', { breakpoints: [{ name: 'virtqueue_publish' }] }),
  );
  await client.event<Stopped>('stopped');
  const [top] = await frames(client);
  const { scopes } = await client.request<{ scopes: DebugProtocol.Scope[] }>('scopes', { frameId: top?.id });
  const registers = scopes.find((scope) => scope.name === 'Registers');
  const list = await client.request<{ variables: DebugProtocol.Variable[] }>('variables', {
    variablesReference: registers?.variablesReference,
  });
  assert.equal(list.variables.find((one) => one.name === 'zero')?.value, '0x0000000000000000');
  assert.ok(list.variables.some((one) => one.name === 'pc' && one.value.includes('virtqueue_publish')));
  await client.request('setVariable', {
    variablesReference: registers?.variablesReference,
    name: 't0',
    value: '0x1234',
  });
  const pc = top?.instructionPointerReference ?? '';
  const memory = await client.request<{ data: string; unreadableBytes: number }>('readMemory', {
    memoryReference: pc,
    count: 16,
  });
  assert.equal(Buffer.from(memory.data, 'base64').length, 16);
  const code = await client.request<{ instructions: DebugProtocol.DisassembledInstruction[] }>('disassemble', {
    memoryReference: pc,
    instructionOffset: -4,
    instructionCount: 12,
  });
  assert.equal(code.instructions.length, 12);
  assert.equal(code.instructions[4]?.address, pc);
  const arguments_ = scopes.find((scope) => scope.name === 'Arguments');
  assert.ok(arguments_ !== undefined, 'the function has arguments');
  const named = await client.request<{ variables: DebugProtocol.Variable[] }>('variables', {
    variablesReference: arguments_.variablesReference,
  });
  assert.ok(named.variables.length > 0);
  const evaluated = await client.request<{ result: string }>('evaluate', {
    expression: named.variables[0]?.name,
    frameId: top?.id,
  });
  assert.equal(evaluated.result, named.variables[0]?.value);
  await client.request('disconnect');
});

test('Next Ring Event stops at each thing that moves a chain', async () => {
  const { client } = await launch('correct', {}, (c) =>
    c.request('setFunctionBreakpoints', { breakpoints: [{ name: 'virtqueue_publish' }] }),
  );
  await client.event<Stopped>('stopped');
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  const seen: string[] = [];
  for (let i = 0; i < 60; i++) {
    await client.request('ringside/nextRingEvent', {});
    seen.push((await client.event<Stopped>('stopped')).text ?? '');
  }
  for (const word of ['published head', 'notified queue', 'fetched head', 'returned head']) {
    assert.ok(
      seen.some((text) => text.includes(word)),
      `no "${word}" in\n${seen.join('\n')}`,
    );
  }
  await client.request('disconnect');
});

test('a family that is switched off reports without a stop; a condition narrows one', async () => {
  const { client, session } = await launch('faulty', {}, async (c) => {
    await c.request('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [
        { filterId: 'interrupt', condition: 'rule == "interrupt.undefined-bits-acknowledged" && device == "vda"' },
      ],
    });
  });
  const stopped = await client.event<Stopped>('stopped');
  assert.match(stopped.text ?? '', /vda/);
  const info = await client.request<{ details: { typeName: string } }>('exceptionInfo', { threadId: 1 });
  assert.equal(info.details.typeName, 'interrupt.undefined-bits-acknowledged');
  assert.ok(session.allViolations().some((violation) => violation.family === 'ownership'));
  await client.request('disconnect');
});
test('a mute reports a rule on one device from then on', async () => {
  const { client } = await launch('faulty', {}, (c) =>
    c.request('ringside/setPolicy', {
      origin: 'mute',
      entries: [{ pattern: 'init.no-acknowledge', device: 'vda', action: 'report' }],
    }),
  );
  await client.event<Stopped>('stopped');
  const info = await client.request<{ details: { typeName: string } }>('exceptionInfo', { threadId: 1 });
  assert.notEqual(info.details.typeName, 'init.no-acknowledge');
  await client.request('disconnect');
});

test('a run with breakpoints, steps and pictures ends in the state of a free run', async () => {
  const free = new Session();
  const freeClient = new Client(free);
  await freeClient.start(sampleConfiguration('correct'));
  await freeClient.event('terminated');
  const { client, session } = await launch('correct', {}, (c) =>
    c.request('setFunctionBreakpoints', { breakpoints: [{ name: 'virtqueue_publish' }] }),
  );
  for (let stops = 0; ; stops++) {
    if ((await client.oneOf('stopped', 'terminated')) === 'terminated') break;
    await frames(client);
    await client.request(stops % 3 === 0 ? 'stepIn' : stops % 3 === 1 ? 'next' : 'continue', { threadId: 1 });
  }
  assert.equal(session.machine?.stateHash(), free.machine?.stateHash());
});

test('restart begins again with the same breakpoints; terminate ends', async () => {
  const { client } = await launch('faulty');
  await client.event<Stopped>('stopped');
  await client.request('restart', {});
  await client.event<Stopped>('stopped');
  const info = await client.request<{ details: { typeName: string } }>('exceptionInfo', { threadId: 1 });
  assert.equal(info.details.typeName, 'init.no-acknowledge');
  await client.request('terminate', {});
  await client.event('terminated');
});

test('a wrong configuration is refused with every problem named', async () => {
  const client = new Client(new Session());
  await client.request('initialize', { adapterID: 'virtio' });
  const response = await client.send('launch', {
    type: 'virtio',
    request: 'launch',
    program: '/nowhere/kernel.elf',
    memroy: '1M',
    harts: 9,
    history: 'plenty',
    devices: [
      { type: 'blok' },
      { type: 'net', backend: 'bridge' },
      { type: 'block' },
      { type: 'entropy', slot: 3 },
      { type: 'console', slot: 3 },
    ],
  });
  assert.equal(response.success, false);
  const text = errorText(response);
  for (const expected of [
    /memroy: unknown attribute \(did you mean "memory"\?\)/,
    /harts: found 9, expected a whole number from 1 to 8/,
    /history: found "plenty", expected a size from 16M to 8G/,
    /devices\[0\]\.type: found "blok"/,
    /devices\[1\]\.backend: found "bridge"/,
    /devices\[2\]\.image: missing/,
    /slot 3 is taken/,
  ]) {
    assert.match(text, expected);
  }
});

test('requests before a launch, unknown requests and wrong arguments are answered with an error', async () => {
  const client = new Client(new Session());
  await client.request('initialize', { adapterID: 'virtio' });
  for (const [command, values] of [
    ['continue', { threadId: 1 }],
    ['stackTrace', { threadId: 7 }],
    ['variables', { variablesReference: 99 }],
    ['readMemory', { memoryReference: 'nonsense', count: 4 }],
    ['makeCoffee', {}],
    ['ringside/setPolicy', { origin: 'me', entries: 5 }],
  ] as const) {
    const response = await client.send(command, values);
    assert.equal(response.success, false, command);
    assert.ok(errorText(response).length > 10, command);
  }
});
