// Guests that hang, trap for ever or jump into nothing: the session stays in the user's hands.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Session } from '../../extension/worker/session';
import { assemble, type Line } from '../assembler';
import { Client } from './client';

type Stopped = DebugProtocol.StoppedEvent['body'];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-stuck-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

async function boot(
  name: string,
  program: readonly Line[],
  more: object = {},
): Promise<{ client: Client; session: Session }> {
  const file = path.join(scratch, `${name}.bin`);
  fs.writeFileSync(file, assemble(program).bytes);
  const session = new Session();
  const client = new Client(session);
  await client.start({ program: file, bios: 'none', memory: '16M', ...more });
  return { client, session };
}

const stuck: readonly (readonly [string, readonly Line[]])[] = [
  ['a spin without any load', ['loop:', ['j', 'loop']]],
  [
    'a spin on memory that never changes',
    [['li', 'a0', 0x8000_1000], 'loop:', ['ld', 'a1', 0, 'a0'], ['beqz', 'a1', 'loop']],
  ],
  [
    'a trap handler that traps',
    [
      ['li', 'a0', 0x8000_0000],
      ['addi', 'a0', 'a0', 64],
      ['csrw', 'mtvec', 'a0'],
      ['ecall'],
      ...Array.from({ length: 12 }, (): Line => ['nop']),
      ['ecall'],
      ['ecall'],
      ['ecall'],
      ['ecall'],
      ['ecall'],
      ['ecall'],
      ['ecall'],
      ['ecall'],
    ],
  ],
  ['wfi with nothing enabled', [['wfi'], 'loop:', ['wfi'], ['j', 'loop']]],
  ['a reservation that is never used', ['loop:', ['li', 'a0', 0x8000_1000], ['lr.d', 'a1', 'a0'], ['j', 'loop']]],
];
for (const [name, program] of stuck) {
  for (const clock of ['warp', 'paced']) {
    test(`pause ends ${name} (${clock}), and the session goes on`, async () => {
      const { client, session } = await boot(name.replace(/\W+/g, '-'), program, { clock });
      await new Promise((resolve) => setTimeout(resolve, 60));
      await client.request('pause', { threadId: 1 });
      assert.equal((await client.event<Stopped>('stopped')).reason, 'pause');
      const before = session.machine?.steps ?? 0;
      assert.ok(before > 0);
      await client.request('stepIn', { threadId: 1, granularity: 'instruction' });
      await client.request('pause', { threadId: 1 });
      await client.event<Stopped>('stopped');
      await client.request('continue', { threadId: 1 });
      await client.request('disconnect');
      assert.equal(session.machine, undefined);
    });
  }
}

/** Counts how often the emulator is set to work. */
function countRuns(session: Session): () => number {
  const { machine } = session;
  assert.ok(machine !== undefined);
  const run = machine.run.bind(machine);
  let count = 0;
  machine.run = (options) => {
    count++;
    return run(options);
  };
  return () => count;
}
const milliseconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count));

test('a paced guest that waits for nothing is not looked at until something comes', async () => {
  const { client, session } = await boot('waiting', ['loop:', ['wfi'], ['j', 'loop']], { clock: 'paced' });
  await milliseconds(100);
  const runs = countRuns(session);
  await milliseconds(300);
  // The one that was under way.
  assert.ok(runs() <= 1, `${runs()} runs while every hart waits`);
  const before = runs();
  await session.consoleInput('uart0', Buffer.from('x'));
  await milliseconds(100);
  assert.ok(runs() > before && runs() <= before + 4, `${runs() - before} runs for a key`);
  await client.request('pause', { threadId: 1 });
  assert.equal((await client.event<Stopped>('stopped')).reason, 'pause');
  await client.request('disconnect');
});

test('a paced guest with a timer is looked at a few times for each tick', async () => {
  const ticks = 20;
  const period = 100_000; // 10 ms of the 10 MHz timebase
  const { client, session } = await boot(
    'ticking',
    [
      ['li', 's0', 0x0200_4000],
      ['li', 's1', 0],
      ['li', 's2', period],
      ['li', 's3', ticks],
      ['li', 'a0', 0x80],
      ['csrw', 'mie', 'a0'],
      'loop:',
      ['add', 's1', 's1', 's2'],
      ['sd', 's1', 0, 's0'],
      ['wfi'],
      ['addi', 's3', 's3', -1],
      ['bnez', 's3', 'loop'],
      ['li', 'a0', 0x10_0000],
      ['li', 'a1', 0x5555],
      ['sw', 'a1', 0, 'a0'],
      'end:',
      ['j', 'end'],
    ],
    { clock: 'paced', stopOnEntry: true },
  );
  await client.event<Stopped>('stopped');
  const runs = countRuns(session);
  await client.request('continue', { threadId: 1 });
  assert.equal((await client.event<{ exitCode: number }>('exited')).exitCode, 0);
  assert.ok(runs() <= 4 * ticks, `${runs()} runs for ${ticks} ticks`);
  // Setting up, and five instructions for each tick.
  assert.ok((session.machine?.steps ?? 0) <= 20 + 6 * ticks, `${session.machine?.steps} steps`);
});

test('a guest that jumps into nothing stops with the trap explained', async () => {
  const { client } = await boot('nowhere', [
    ['li', 'a0', 0x4000_0000],
    ['jr', 'a0'],
  ]);
  const stopped = await client.event<Stopped>('stopped');
  assert.equal(stopped.reason, 'exception');
  assert.match(stopped.text ?? '', /instruction access fault/);
  const info = await client.request<{ description: string }>('exceptionInfo', { threadId: 1 });
  assert.match(info.description, /only trap for ever/);
  await client.request('disconnect');
});

test('stores to flash, to a hole and to every device region do not end the session', async () => {
  const addresses = [
    0x2000_0000, 0x3000_0000, 0x1000, 0x0, 0x0c00_0000, 0x1000_1ff8, 0x1000_8000, 0x10_1000, 0xffff_f000,
  ];
  const program: Line[] = [
    ['li', 'a0', 0x8000_0100],
    ['csrw', 'mtvec', 'a0'],
    ['li', 'a1', -1],
  ];
  for (const address of addresses)
    program.push(
      ['li', 'a2', address],
      ['sd', 'a1', 0, 'a2'],
      ['sw', 'a1', 0, 'a2'],
      ['ld', 'a3', 0, 'a2'],
      ['lbu', 'a3', 3, 'a2'],
    );
  program.push(['li', 'a2', 0x10_0000], ['li', 'a1', 0x5555], ['sw', 'a1', 0, 'a2'], 'end:', ['j', 'end']);
  const code = assemble(program);
  // The handler at 0x8000_0100 would lie inside the program, so it stands behind it: it returns behind the faulting instruction.
  const handlerAt = 0x8000_0000 + Math.ceil(code.bytes.length / 64) * 64;
  const whole: Line[] = [['li', 'a0', handlerAt], ...program.slice(1)];
  const first = assemble(whole).bytes;
  const handler = assemble(
    [['csrr', 't0', 'mepc'], ['addi', 't0', 't0', 4], ['csrw', 'mepc', 't0'], ['mret']],
    handlerAt,
  ).bytes;
  const image = new Uint8Array(handlerAt - 0x8000_0000 + handler.length);
  image.set(first);
  image.set(handler, handlerAt - 0x8000_0000);
  const file = path.join(scratch, 'holes.bin');
  fs.writeFileSync(file, image);
  const client = new Client(new Session());
  await client.start({ program: file, bios: 'none', memory: '16M', rules: { '*': 'report' } });
  const end = await client.event<{ exitCode: number }>('exited');
  assert.equal(end.exitCode, 0);
});
