// Going back changes nothing: a machine that is taken back to a snapshot and run to a later moment is what it was there, in every hart,
// page, device and event. [design: history]
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import type { MachineConfiguration } from '../../emulator/configuration';
import { Machine } from '../../emulator/machine';
import type { Moment } from '../../emulator/record/moment';
import type { Snapshot } from '../../emulator/record/snapshots';
import { catalogue } from '../../emulator/virtio/rules';
import { RulePolicy } from '../../emulator/virtio/watch/policy';
import { randomFrom } from '../unit/cpu/random';
import { buildGuest, sampleFolder } from './harness/compiler';
import { messageProgram } from './message-guest';

const disk = new Uint8Array(fs.readFileSync(path.join(sampleFolder, 'disk.img')));
const common = {
  featuresOn: 0n,
  featuresOff: 0n,
  fetchNanoseconds: 1000,
  completeNanoseconds: 10_000,
  onDriverError: 'qemu',
} as const;

/** The sample, or the guest of messages. */
const guests = ['correct', 'faulty', 'messages'] as const;

function configuration(guest: (typeof guests)[number]): MachineConfiguration {
  const byMessage = guest === 'messages';
  const file = byMessage ? buildGuest(messageProgram()) : path.join(sampleFolder, `${guest}.elf`);
  const image = disk.slice();
  const backend = {
    sizeBytes: image.length,
    description: 'disk',
    read: (offset: number, length: number) => image.slice(offset, offset + length),
    write: (offset: number, bytes: Uint8Array) => image.set(bytes, offset),
    flush: () => undefined,
  };
  return {
    memoryBytes: 16 << 20,
    harts: 1,
    bios: { kind: 'none' },
    guest: { name: guest, bytes: new Uint8Array(fs.readFileSync(file)) },
    ...(byMessage && { aia: 'aplic-imsic' }),
    devices: [
      { type: 'block', name: 'vda', backend, readOnly: false, ...common, ...(byMessage && { transport: 'pci' }) },
      { type: 'entropy', name: 'rng', ...common },
    ],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
  };
}

const textOf = (event: object): string =>
  JSON.stringify(event, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

/** What a machine is at a moment. */
interface Picture {
  readonly moment: Moment;
  readonly hash: string;
  readonly events: number;
  readonly violations: number;
}
const pictureOf = (machine: Machine): Picture => ({
  moment: machine.moment,
  hash: machine.stateHash(),
  events: machine.monitor.events.length,
  violations: machine.monitor.violations.length,
});

/** Runs to the end in random slices, with a picture after each and a snapshot after some. */
function record(machine: Machine, seed: number, greatestSlice: number) {
  const random = randomFrom(seed);
  const pictures: Picture[] = [];
  const snapshots: Snapshot[] = [];
  for (;;) {
    const exit = machine.run({ untilStep: machine.steps + 1 + random.below(greatestSlice), skipIdle: true });
    // In front of an access that broke a rule the list has it already, though the access is still to come.
    if (exit.kind === 'violation') machine.passStop();
    else pictures.push(pictureOf(machine));
    if (random.below(4) === 0) snapshots.push(machine.snapshots.take());
    if (exit.kind === 'finished') return { pictures, snapshots };
    assert.ok(machine.steps < 20_000_000, 'the guest did not end');
  }
}

for (const guest of guests) {
  for (const tier of ['off', 'on'] as const) {
    test(`the guest ${guest}, compiler ${tier}: every earlier moment can be reached from every snapshot before it`, () => {
      const told: string[] = [];
      const machine = new Machine(
        configuration(guest),
        {
          output: (_channel, bytes) => told.push(Buffer.from(bytes).toString('latin1')),
          event: (event) => told.push(String(event.index)),
        },
        { revertible: true, processor: { compiler: tier, compileThreshold: 20 } },
      );
      const { pictures, snapshots } = record(machine, 7, 900);
      const toldOnce = told.length;
      const events = machine.monitor.events.slice().map(textOf);
      assert.ok(snapshots.length > 10 && pictures.length > 30, `${snapshots.length} of ${pictures.length}`);
      const random = randomFrom(3);
      for (let round = 0; round < 60; round++) {
        const picture = pictures[random.below(pictures.length)];
        const earlier = snapshots.filter(({ moment }) => moment.step <= (picture?.moment.step ?? 0));
        const snapshot = earlier[random.below(earlier.length)];
        if (picture === undefined || snapshot === undefined) continue;
        machine.snapshots.restore(snapshot);
        machine.runTo(picture.moment);
        assert.deepEqual(pictureOf(machine), picture, `from step ${snapshot.moment.step}`);
      }
      assert.equal(told.length, toldOnce, 'nobody hears of what happens again');
      const last = pictures.at(-1);
      assert.ok(last !== undefined && snapshots[0] !== undefined);
      machine.snapshots.restore(snapshots[0]);
      machine.runTo(last.moment);
      assert.deepEqual(pictureOf(machine), last);
      const again = machine.monitor.events.slice().map(textOf);
      assert.ok(again.length > events.length / 3);
      assert.deepEqual(again, events.slice(-again.length), 'the same events as the first time');
    });
  }
}

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';

/** A disk of random bytes; `image` is what the host would find in its file. */
function randomDisk(bytes: number) {
  const random = randomFrom(5);
  const image = Uint8Array.from({ length: bytes }, () => random.below(256));
  let flushes = 0;
  return {
    image,
    get flushes() {
      return flushes;
    },
    sizeBytes: bytes,
    description: 'random',
    read: (offset: number, length: number) => image.slice(offset, offset + length),
    write: (offset: number, from: Uint8Array) => image.set(from, offset),
    flush: () => {
      flushes++;
    },
  };
}

test('U-Boot with keys typed and blocks written: back and again, the inputs come at the same moments', () => {
  const backend = randomDisk(1 << 20);
  let console = '';
  const machine = new Machine(
    {
      memoryBytes: 128 << 20,
      harts: 2,
      bios: { kind: 'file', name: 'fw_dynamic.bin', bytes: new Uint8Array(fs.readFileSync(firmware)) },
      guest: { name: 'u-boot.bin', bytes: new Uint8Array(fs.readFileSync(uboot)) },
      devices: [{ type: 'block', name: 'vda', backend, readOnly: false, ...common }],
      seed: 1,
      wallClockAtResetNanoseconds: 0n,
    },
    { output: (_channel, bytes) => (console += Buffer.from(bytes).toString('latin1')) },
    { revertible: true, policy: new RulePolicy(catalogue, [{ pattern: '*', action: 'report' }]) },
  );
  const random = randomFrom(17);
  const pictures: Picture[] = [];
  const snapshots = [machine.snapshots.take()];
  const dialogue = [
    ['autoboot', '\r'],
    ['=> ', 'virtio scan\r'],
    ['=> ', 'virtio read 0x82000000 2 20\r'],
    ['OK', 'mw.b 0x82000000 5a 1000\r'],
    ['=> ', 'virtio write 0x82000000 4 4\r'],
    ['OK', 'virtio read 0x83000000 0 10\r'],
    ['OK', 'crc32 0x83000000 2000\r'],
    ['==> ', 'echo done\r'],
    ['\ndone', ''],
  ] as const;
  let seen = 0;
  for (const [expected, answer] of dialogue) {
    while (!console.includes(expected, seen)) {
      machine.run({ untilStep: machine.steps + 1 + random.below(400_000), skipIdle: true });
      assert.ok(machine.steps < 200_000_000, `no "${expected}" in ${console.slice(-500)}`);
      if (random.below(12) === 0) snapshots.push(machine.snapshots.take());
    }
    seen = console.indexOf(expected, seen) + expected.length;
    for (const key of answer) {
      machine.input('uart0', Buffer.from(key));
      machine.run({ untilStep: machine.steps + 1 + random.below(20_000), skipIdle: true });
    }
    pictures.push(pictureOf(machine));
  }
  assert.ok(snapshots.length > 15 && machine.inputs.all.length > 100);
  assert.match(console, /crc32 for 83000000/);
  // In the middle of requests: pictures of the live run between a fetch and its completion.
  const busy = machine.monitor.events
    .slice()
    .filter(({ kind }) => kind === 'fetch')
    .map(({ step, virtualNanoseconds }) => ({ step, virtualNanoseconds }));
  assert.ok(busy.length >= 3);
  const saidOnce = console;
  const imageOnce = backend.image.slice();
  const [oldest] = snapshots;
  assert.ok(oldest !== undefined);
  for (let round = 0; round < 12; round++) {
    const picture = pictures[random.below(pictures.length)];
    const before = snapshots.filter(({ moment }) => moment.step <= (picture?.moment.step ?? 0));
    const snapshot: Snapshot = before[Math.max(0, before.length - 1 - random.below(6))] ?? oldest;
    assert.ok(picture !== undefined);
    machine.snapshots.restore(snapshot);
    machine.runTo(picture.moment);
    assert.deepEqual(pictureOf(machine), picture, `from step ${snapshot.moment.step}`);
  }
  for (const { step } of busy) {
    const snapshot = snapshots.filter(({ moment }) => moment.step <= step).at(-1) ?? oldest;
    const hashes = [1, 2].map(() => {
      machine.snapshots.restore(snapshot);
      machine.run({ untilStep: step + 1500, skipIdle: true });
      return machine.stateHash();
    });
    assert.equal(hashes[0], hashes[1]);
  }
  assert.equal(console, saidOnce, 'what was said is not said again');
  assert.deepEqual(backend.image, imageOnce, 'the host sees no write of the past');

  // A key in the past makes the run another one: what was to come is forgotten.
  const [first] = pictures;
  assert.ok(first !== undefined);
  machine.snapshots.restore(oldest);
  machine.runTo(first.moment);
  machine.input('uart0', Buffer.from('x'));
  assert.equal(machine.inputs.next, undefined);
  assert.ok(machine.snapshots.all.every(({ moment }) => moment.step <= machine.steps));
  assert.equal(machine.isLive(), true);
});

test('snapshots that are dropped leave the others as they are, and their pages are given back', () => {
  const machine = new Machine(configuration('correct'), {}, { revertible: true });
  const { pictures, snapshots } = record(machine, 11, 700);
  const random = randomFrom(23);
  const all = machine.snapshots.bytes;
  while (machine.snapshots.all.length > 3) {
    const victim = machine.snapshots.all[1 + random.below(machine.snapshots.all.length - 1)];
    if (victim === undefined) break;
    machine.snapshots.drop(victim);
    assert.throws(() => machine.snapshots.restore(victim), RangeError);
    const kept = machine.snapshots.all[random.below(machine.snapshots.all.length)];
    const picture = pictures.find(({ moment }) => moment.step > (kept?.moment.step ?? 0) + random.below(9000));
    if (kept === undefined || picture === undefined) continue;
    machine.snapshots.restore(kept);
    machine.runTo(picture.moment);
    assert.deepEqual(pictureOf(machine), picture);
  }
  assert.ok(machine.snapshots.bytes < all / 2, `${machine.snapshots.bytes} of ${all} bytes`);
  assert.ok(snapshots.length > 10);
});
