// The past within a budget: any moment, step, event and stop of a run is reached again as it was. [design: history and time travel]
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Machine } from '../../emulator/machine';
import { History } from '../../emulator/record/history';
import type { Moment } from '../../emulator/record/moment';
import { randomFrom } from '../unit/cpu/random';
import { sampleFolder } from './harness/compiler';

const disk = new Uint8Array(fs.readFileSync(path.join(sampleFolder, 'disk.img')));

function sample(): Machine {
  const image = disk.slice();
  const backend = {
    sizeBytes: image.length,
    description: 'disk',
    read: (offset: number, length: number) => image.slice(offset, offset + length),
    write: (offset: number, bytes: Uint8Array) => image.set(bytes, offset),
    flush: () => undefined,
  };
  return new Machine(
    {
      memoryBytes: 16 << 20,
      harts: 1,
      bios: { kind: 'none' },
      guest: { name: 'correct', bytes: new Uint8Array(fs.readFileSync(path.join(sampleFolder, 'correct.elf'))) },
      devices: [
        {
          type: 'block',
          name: 'vda',
          backend,
          readOnly: false,
          featuresOn: 0n,
          featuresOff: 0n,
          fetchNanoseconds: 1000,
          completeNanoseconds: 10_000,
          onDriverError: 'qemu',
        },
      ],
      seed: 1,
      wallClockAtResetNanoseconds: 0n,
    },
    {},
    { revertible: true },
  );
}

const forever = { untilStep: 1e9, skipIdle: true };
const place = (machine: Machine) => ({ moment: machine.moment, hash: machine.stateHash() });

test('any step is reached again, in any order, with snapshots taken on the way there', () => {
  const machine = sample();
  const history = new History(machine, { budgetBytes: 1 << 30, intervalSteps: 1500 });
  const pictures: ReturnType<typeof place>[] = [];
  while (history.run({ untilStep: machine.steps + 311, skipIdle: true }).kind !== 'finished') {
    pictures.push(place(machine));
  }
  assert.ok(machine.snapshots.all.length > 15, `${machine.snapshots.all.length} snapshots`);
  const random = randomFrom(41);
  for (let round = 0; round < 60; round++) {
    const picture = pictures[random.below(pictures.length)];
    assert.ok(picture !== undefined);
    if (random.below(2) === 0) history.goTo(picture.moment);
    else history.goToStep(picture.moment.step);
    assert.deepEqual(place(machine), picture);
    // Walking on from the past over later snapshots, and taking one there.
    if (random.below(3) === 0) history.run({ untilStep: machine.steps + random.below(5000), skipIdle: true });
    if (random.below(5) === 0) machine.snapshots.take();
  }
  assert.throws(() => history.goToStep(history.latest.step + 1), RangeError);
});

test('the budget is kept, the oldest past thins out first, and what is left is right', () => {
  const free = sample();
  const whole = new History(free, { budgetBytes: 1 << 30, intervalSteps: 500 });
  while (whole.run(forever).kind !== 'finished');
  const machine = sample();
  const budgetBytes = Math.floor(whole.bytes / 3);
  const history = new History(machine, { budgetBytes, intervalSteps: 500 });
  const pictures: ReturnType<typeof place>[] = [];
  while (history.run({ untilStep: machine.steps + 457, skipIdle: true }).kind !== 'finished') {
    pictures.push(place(machine));
    assert.ok(history.bytes <= budgetBytes || machine.snapshots.all.length <= 3, `${history.bytes} of ${budgetBytes}`);
  }
  const steps = machine.snapshots.all.map(({ moment }) => moment.step);
  const half = machine.steps / 2;
  const old = steps.filter((step) => step < half).length;
  assert.ok(old < steps.length - old, `${old} of ${steps.length} snapshots are in the older half`);
  for (const picture of pictures.filter((_, index) => index % 7 === 0)) {
    if (picture.moment.step < history.earliest.step) continue;
    history.goTo(picture.moment);
    assert.deepEqual(place(machine), picture);
  }
});

test('the previous ring event is where the next one was', () => {
  const machine = sample();
  const history = new History(machine, { budgetBytes: 1 << 30, intervalSteps: 2000 });
  const stops: { readonly index: number; readonly at: ReturnType<typeof place> }[] = [];
  machine.stopAtEvent(() => true);
  for (;;) {
    const exit = history.run(forever);
    if (exit.kind === 'finished') break;
    if (exit.kind === 'event') stops.push({ index: exit.event.index, at: place(machine) });
  }
  machine.stopAtEvent(undefined);
  assert.ok(stops.length > 100);
  const random = randomFrom(2);
  let walked = 0;
  for (let at = stops.length - 1; at > 0; at -= 1 + random.below(12)) {
    const stop = stops[at];
    assert.ok(stop !== undefined);
    const exit = history.goToEvent(stop.index);
    assert.ok(exit.kind === 'event' && exit.event.index === stop.index);
    assert.deepEqual(place(machine), stop.at);
    walked++;
  }
  assert.ok(walked > 15);
  assert.throws(() => history.goToEvent(1_000_000), RangeError);
});

test('the last breakpoint before a moment, over and over, is the forward list from its end', () => {
  const machine = sample();
  const history = new History(machine, { budgetBytes: 1 << 30, intervalSteps: 2500 });
  history.run({ untilStep: 5000, skipIdle: true });
  // Where the driver writes QueueNotify: met once for each request.
  const notified = (): bigint | undefined => {
    const event = machine.monitor.events.slice().find(({ kind }) => kind === 'notify');
    return event?.by === 'driver' ? event.pc : undefined;
  };
  const pc = notified();
  assert.ok(pc !== undefined);
  machine.setBreakpoints([pc]);
  const forward: Moment[] = [];
  for (;;) {
    const exit = history.run(forever);
    if (exit.kind === 'finished') break;
    if (exit.kind !== 'breakpoint') continue;
    forward.push(machine.moment);
    machine.pass(exit);
  }
  assert.ok(forward.length >= 3, `${forward.length} breakpoints`);
  for (const expected of [...forward].reverse()) {
    const found = history.goToLastStop(machine.moment, (exit) => exit.kind === 'breakpoint');
    assert.deepEqual(found?.moment, expected);
    assert.deepEqual(machine.moment, expected);
    assert.equal(machine.cpu.readPc(0), pc);
  }
});

test('an input in the past begins another run: its end is the end, and the old future is gone', () => {
  const machine = sample();
  const history = new History(machine, { budgetBytes: 1 << 30, intervalSteps: 1000 });
  while (history.run(forever).kind !== 'finished');
  const finished = machine.steps;
  history.goToStep(4000);
  history.run({ untilStep: 7000, skipIdle: true });
  machine.change({ kind: 'x', hart: 0, register: 5, value: 77n });
  assert.ok(machine.snapshots.all.every(({ moment }) => moment.step <= 7000));
  history.run({ untilStep: 9000, skipIdle: true });
  assert.equal(history.latest.step, 9000);
  assert.throws(() => history.goToStep(finished), RangeError);
  const end = place(machine);
  history.goToStep(6500);
  history.goTo(end.moment);
  assert.deepEqual(place(machine), end);
  assert.equal(machine.inputs.all.length, 1);
});
