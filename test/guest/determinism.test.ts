// Nobody's looking changes a run: rules off, reported or stopped at, random pauses and pictures all end in the state of a free run.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import type { MachineConfiguration } from '../../emulator/configuration';
import { Machine } from '../../emulator/machine';
import { catalogue } from '../../emulator/virtio/rules';
import { type PolicyEntry, RulePolicy } from '../../emulator/virtio/watch/policy';
import { sampleFolder } from './harness/compiler';

function configuration(guest: 'correct' | 'faulty'): MachineConfiguration {
  const disk = new Uint8Array(fs.readFileSync(path.join(sampleFolder, 'disk.img')));
  const backend = {
    sizeBytes: disk.length,
    description: 'disk',
    read: (offset: number, length: number) => disk.slice(offset, offset + length),
    write: (offset: number, bytes: Uint8Array) => disk.set(bytes, offset),
    flush: () => undefined,
  };
  const common = {
    featuresOn: 0n,
    featuresOff: 0n,
    fetchNanoseconds: 1000,
    completeNanoseconds: 10_000,
    onDriverError: 'qemu' as const,
  };
  return {
    memoryBytes: 16 << 20,
    harts: 1,
    bios: { kind: 'none' },
    guest: { name: guest, bytes: new Uint8Array(fs.readFileSync(path.join(sampleFolder, `${guest}.elf`))) },
    devices: [
      { type: 'block', name: 'vda', backend, readOnly: false, ...common },
      { type: 'entropy', name: 'rng', ...common },
    ],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
  };
}

/** Runs to the end; `slice` gives the number of steps before each look. */
function finish(machine: Machine, slice: () => number, look: () => void = () => undefined): string {
  for (;;) {
    const exit = machine.run({ untilStep: machine.steps + slice(), skipIdle: true });
    look();
    if (exit.kind === 'finished') return machine.stateHash();
    if (exit.kind === 'violation') machine.passStop();
    assert.ok(machine.steps < 10_000_000, 'the guest did not end');
  }
}

function randomSlices(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return 1 + ((state >>> 16) % 700);
  };
}

for (const guest of ['correct', 'faulty'] as const) {
  test(`the ${guest} driver: equal states whatever the rules do, however often one looks`, () => {
    const free = finish(new Machine(configuration(guest)), () => 1e9);
    const policies: Readonly<Record<string, readonly PolicyEntry[]>> = {
      off: [{ pattern: '*', action: 'off' }],
      report: [{ pattern: '*', action: 'report' }],
      break: [{ pattern: '*', action: 'break' }],
    };
    for (const [name, entries] of Object.entries(policies)) {
      const policy = new RulePolicy(catalogue, entries);
      assert.equal(
        finish(new Machine(configuration(guest), {}, { policy }), () => 1e9),
        free,
        `rules ${name}`,
      );
    }
    for (const seed of [1, 2, 3]) {
      const machine = new Machine(configuration(guest));
      const look = (): void => {
        for (const device of machine.virtio.devices) device.inspect();
        for (let offset = 0; offset < 0x200; offset += 4) machine.peek(0x1000_8000 + offset, 4);
        for (const { number } of machine.cpu.csrs) machine.cpu.peekCsr(0, number);
        machine.cpu.translate(0, 0x8000_0000n);
      };
      assert.equal(finish(machine, randomSlices(seed), look), free, `random pauses, seed ${seed}`);
    }
  });
}

test('single instructions and single scheduled entries end where a free run ends', () => {
  const machine = new Machine(configuration('correct'));
  assert.equal(
    finish(machine, () => 1),
    finish(new Machine(configuration('correct')), () => 1e9),
  );
});
