// Whole guests in both tiers of the processor: with and without the compiler they take the same steps to the same state, break the same
// rules at the same instructions, and stop at the same breakpoints and watched addresses.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { Machine, type MachineExit } from '../../emulator/machine';
import { catalogue } from '../../emulator/virtio/rules';
import { RulePolicy } from '../../emulator/virtio/watch/policy';
import { loadMachine } from '../../extension/worker/load-machine';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { sampleFolder } from './harness/compiler';
import { makeExt4 } from './harness/ext4';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-tiers-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Compiles at the first opportunity, so that even short guests run compiled code. */
const tiers = { interpreted: { compiler: 'off' }, compiled: { compiler: 'on', compileThreshold: 1 } } as const;
type Tier = keyof typeof tiers;

interface Guest {
  readonly machine: Machine;
  readonly console: () => string;
  close(): void;
}

function start(tier: Tier, attributes: Readonly<Record<string, unknown>>, action: 'report' | 'break'): Guest {
  const configuration = parseLaunchConfiguration(
    { type: 'virtio', request: 'launch', name: tier, clock: 'warp', ...attributes },
    { resolvePath: (file) => file, mayWriteFiles: false },
  );
  const files = loadMachine({ ...configuration, symbols: [] });
  let text = '';
  const policy = new RulePolicy(catalogue, [{ pattern: '*', action }]);
  const machine = new Machine(
    { ...files.machine, wallClockAtResetNanoseconds: 0n },
    { output: (_, bytes) => (text += Buffer.from(bytes).toString('latin1')) },
    { policy, processor: tiers[tier] },
  );
  return { machine, console: () => text, close: () => files.close() };
}

function sample(tier: Tier, guest: 'correct' | 'faulty', action: 'report' | 'break'): Guest {
  const program = path.join(sampleFolder, `${guest}.elf`);
  const disk = { type: 'block', name: 'vda', image: path.join(sampleFolder, 'disk.img'), mode: 'overlay' };
  return start(tier, { program, bios: 'none', memory: '16M', devices: [disk] }, action);
}

/** All exits up to the end, each with the step and the place where it happened. */
function exits({ machine }: Guest, slice: number, act: (exit: MachineExit, count: number) => void): readonly unknown[] {
  const seen: unknown[] = [];
  for (let count = 0; count < 20_000; count++) {
    const exit = machine.run({ untilStep: machine.steps + slice, skipIdle: true });
    const { cpu } = machine;
    const registers = Array.from({ length: 32 }, (_, register) => cpu.readX(0, register));
    seen.push({ exit, steps: machine.steps, pc: cpu.readPc(0), registers });
    if (exit.kind === 'finished') return seen;
    act(exit, count);
  }
  throw new Error(`no end after ${seen.length} stops`);
}
function both(run: (tier: Tier) => unknown): void {
  assert.deepEqual(run('compiled'), run('interpreted'));
}

for (const guest of ['correct', 'faulty'] as const) {
  test(`the ${guest} sample breaks the same rules at the same steps, and ends in the same state`, () => {
    both((tier) => {
      const run = sample(tier, guest, 'report');
      const seen = exits(run, 1e9, () => undefined);
      const { violations } = run.machine.monitor;
      assert.equal(violations.length > 0, guest === 'faulty');
      return { seen, violations: [...violations], console: run.console(), hash: run.machine.stateHash() };
    });
  });

  test(`the ${guest} sample stops alike at rules, breakpoints, watched memory and after single steps`, () => {
    both((tier) => {
      const run = sample(tier, guest, 'break');
      const { machine } = run;
      // Where the program is after some time: breakpoints there are met again. Every stack access is watched for a while.
      machine.run({ untilStep: 3000, skipIdle: true });
      const sp = Number(machine.cpu.readX(0, 2)) & ~7;
      const seen = exits(run, 2000, (exit, count) => {
        if (count === 10) machine.setBreakpoints([machine.cpu.readPc(0), machine.cpu.readX(0, 1)]);
        if (count === 300) machine.setBreakpoints([]);
        if (count === 400) machine.setWatchpoints([{ address: sp - 64, lengthBytes: 64, load: true, store: true }]);
        if (count === 1000) machine.setWatchpoints([]);
        if (exit.kind === 'limit') for (let step = 0; step < 5; step++) machine.stepHart(0);
        else machine.passStop();
      });
      return { seen, hash: machine.stateHash() };
    });
  });
}

test('OpenSBI and U-Boot take the same steps to the same state, up to its prompt and through a dialogue', () => {
  const disk = path.join(scratch, 'disk.img');
  makeExt4(disk, { 'hello.txt': 'hello\n' }, 8);
  both((tier) => {
    const guest = start(
      tier,
      {
        bios: '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
        kernel: '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin',
        memory: '128M',
        devices: [{ type: 'block', name: 'vda', image: disk, mode: 'overlay' }],
      },
      'report',
    );
    const { machine, console } = guest;
    const talk = ['\r', 'virtio scan\r', 'ls virtio 0:0 /\r', 'crc32 80200000 10000\r'];
    const heard: unknown[] = [];
    for (const line of talk) {
      const read = console().length;
      const prompt = heard.length === 0 ? /stop autoboot/ : /=> $/;
      // Far more steps than any answer needs.
      const limit = machine.steps + 1e9;
      while (!prompt.test(console().slice(read)) && machine.steps < limit)
        machine.run({ untilStep: machine.steps + 500_000, skipIdle: true });
      heard.push({ line, steps: machine.steps, hash: machine.stateHash() });
      machine.input('uart0', Buffer.from(line));
    }
    machine.run({ untilStep: machine.steps + 20_000_000, skipIdle: true });
    heard.push({ steps: machine.steps, hash: machine.stateHash() });
    assert.match(console(), /hello\.txt[^]*crc32 for 80200000/i);
    guest.close();
    const { violations } = machine.monitor;
    return { heard, console: console(), violations: [...violations] };
  });
});
