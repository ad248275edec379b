// The monitor: when it stops, what it counts, what it attaches, and that asking it changes nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog, weightOf } from '../../../emulator/record/log';
import type { VirtioEvent } from '../../../emulator/record/events';
import { blockRequestType } from '../../../emulator/virtio/spec/block';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { status } from '../../../emulator/virtio/spec/status';
import { usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { maximumViolations } from '../../../emulator/virtio/watch/violations';
import { copyOf } from '../../../emulator/virtio/watch/copy';
import { Bench, type BenchOptions, blockDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { ScriptedDriver } from '../../driver/driver';

const loop = 0x6000_0000n;

function block(options: Omit<BenchOptions, 'devices' | 'own'> = {}): ScriptedDriver {
  return new ScriptedDriver(new Bench({ devices: [blockDevice()], ...options }));
}
/** Clears a status bit, always by the same instruction. */
function clearBit(d: ScriptedDriver): void {
  d.bench.store(d.register('Status'), 4, d.statusNow & ~status.ACKNOWLEDGE, loop);
  d.bench.store(d.register('Status'), 4, d.statusNow, loop + 4n);
}
const rulesOf = ({ bench }: ScriptedDriver): string[] => bench.monitor.violations.map(({ rule }) => rule);

test('asking about an access changes nothing', () => {
  const d = block({ rules: { must: 'report' } });
  d.start();
  const before = JSON.stringify(d.bench.monitor.save(), plain);
  const fact = { kind: 'status-write', device: 'vda', before: 15, value: 1, after: 1 } as const;
  for (let i = 0; i < 3; i++) {
    assert.equal(d.bench.monitor.attempt({ ...fact, by: 'driver', hart: 0, pc: 0x1234n }), 'proceed');
  }
  assert.equal(JSON.stringify(d.bench.monitor.save(), plain), before);
  assert.deepEqual(d.bench.monitor.violations, []);
});

test('a repeat at the same instruction counts up and does not stop again', () => {
  const d = block();
  d.start();
  for (let i = 0; i < 5; i++) clearBit(d);
  assert.deepEqual(rulesOf(d), ['status.bit-cleared']);
  assert.equal(d.bench.monitor.violations[0]?.count, 5);
  assert.equal(d.bench.stops.length, 1);
});

test('the same mistake at another instruction is another violation', () => {
  const d = block();
  d.start();
  clearBit(d);
  d.write('Status', status.DRIVER);
  assert.deepEqual(rulesOf(d), ['status.bit-cleared', 'status.bit-cleared']);
  assert.equal(d.bench.stops.length, 2);
});

test('after a device reset a known mistake stops again, as the same violation', () => {
  const d = block();
  d.start();
  clearBit(d);
  const first = d.bench.monitor.violations[0]?.step;
  d.reset();
  d.start();
  clearBit(d);
  assert.deepEqual(rulesOf(d), ['status.bit-cleared']);
  const [violation] = d.bench.monitor.violations;
  assert.equal(violation?.count, 2);
  assert.ok((violation?.step ?? 0) > (first ?? 0), 'it shows the newest occurrence');
  assert.deepEqual(
    d.bench.stops.map((stop) => stop.violation.number),
    [0, 0],
  );
});

test('what follows from a cause is attached to it and does not stop', () => {
  const d = block();
  d.probe();
  d.reset();
  d.acknowledge();
  d.negotiate();
  d.confirmFeatures();
  assert.deepEqual(rulesOf(d), ['init.features-before-driver', 'init.no-driver']);
  const [cause, consequence] = d.bench.monitor.violations;
  assert.deepEqual(cause?.consequences, [1]);
  assert.equal(consequence?.consequences.length, 0);
  assert.equal(d.bench.monitor.rootOf(1).number, 0);
  assert.equal(d.bench.stops.length, 1);
});

test('several rules broken by one access are one stop, the gravest first', () => {
  const d = block({ rules: { hazard: 'break', should: 'break' } });
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.addStatus(status.FEATURES_OK | status.DRIVER_OK);
  assert.deepEqual(rulesOf(d), ['init.features-ok-not-read-back', 'status.steps-combined']);
  assert.deepEqual(d.bench.monitor.violations[0]?.consequences, [1]);
  assert.equal(d.bench.stops.length, 1);
});

test('a less grave rule that breaks still stops when the graver one is only reported', () => {
  const d = block({ rules: { must: 'report', hazard: 'break' } });
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.addStatus(status.FEATURES_OK | status.DRIVER_OK);
  assert.deepEqual(
    d.bench.stops.map(({ violation }) => violation.rule),
    ['status.steps-combined'],
  );
});

test('a mute of one device reports without stopping, and can be taken back', () => {
  const d = block();
  const { policy } = d.bench.monitor;
  policy.set({ pattern: 'status.bit-cleared', device: 'vda', action: 'report', source: 'mute' });
  d.start();
  clearBit(d);
  assert.equal(d.bench.stops.length, 0);
  assert.deepEqual(rulesOf(d), ['status.bit-cleared']);
  policy.remove(({ source }) => source === 'mute');
  d.write('Status', 1);
  assert.equal(d.bench.stops.length, 1);
});

test('a rule that is off leaves no trace and is judged again when it is on', () => {
  const d = block({ rules: { 'status.bit-cleared': 'off' } });
  d.start();
  clearBit(d);
  assert.deepEqual(rulesOf(d), []);
  d.bench.monitor.policy.set({ pattern: 'status.bit-cleared', action: 'break' });
  clearBit(d);
  assert.equal(d.bench.stops.length, 1);
});

test('a stop shows the attempted value before it has any effect', () => {
  const d = block();
  d.start();
  const stopped: number[] = [];
  const { monitor } = d.bench;
  const step = d.bench.steps;
  const answer = monitor.attempt({
    kind: 'status-write',
    device: 'vda',
    before: 15,
    value: 2,
    after: 2,
    by: 'driver',
    hart: 0,
    pc: loop,
  });
  stopped.push(...monitor.violations.map(({ foundAtStep }) => foundAtStep));
  assert.equal(answer, 'stop');
  assert.deepEqual(stopped, [step]);
  assert.equal(monitor.violations[0]?.beforeEffect, true);
  assert.deepEqual(monitor.violations[0]?.evidence.at(-1), { name: 'value written', value: '0x2 (DRIVER)' });
  assert.equal(monitor.device('vda')?.handshake.status, 15);
});

test('related events lead to the cause of the cause', () => {
  const d = block({ rules: { must: 'report' } });
  d.start();
  const queue = d.queue();
  const head = d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN)));
  d.publish(queue, head);
  d.notify(queue);
  d.bench.run(2_000);
  d.bench.store(queue.descriptors + 8, 4, 1);
  const [violation] = d.bench.monitor.violations;
  assert.equal(violation?.rule, 'ownership.descriptor-changed');
  assert.equal(violation.related?.kind, 'publish');
  assert.deepEqual(violation.place, { kind: 'descriptor', queue: 0, index: 0, field: 'len' });
});

test('a driver that spins on the used index without having notified is found', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  for (let i = 0; i < 1001; i++) d.ram(queue.used + usedOffset.idx, 2, loop);
  assert.deepEqual(rulesOf(d), ['notify.missing']);
  assert.equal(d.bench.stops.length, 1);
  assert.equal(d.bench.stops[0]?.before, false);
});

test('a driver that spins on its own memory without having notified is found after a while', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  d.bench.run(99_000_000);
  assert.deepEqual(rulesOf(d), []);
  d.bench.run(2_000_000);
  assert.deepEqual(rulesOf(d), ['notify.missing']);
  d.bench.run(500_000_000);
  assert.equal(d.bench.monitor.violations[0]?.count, 1);
});

test('a missing notification is no longer missing once it comes', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  d.bench.run(50_000_000);
  d.notify(queue);
  d.waitUsed(queue);
  d.bench.run(200_000_000);
  assert.deepEqual(rulesOf(d), []);
});

test('ring memory is the driver’s, then the device’s, then the driver’s again', async () => {
  const { ownershipOf } = await import('../../../emulator/virtio/watch/chains');
  const d = block();
  d.start();
  const queue = d.queue();
  const seen: string[] = [];
  const look = (): void => {
    const state = d.bench.monitor.device('vda')?.queues[0];
    if (state !== undefined) seen.push(ownershipOf(state, 0));
  };
  look();
  const head = d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN)));
  look();
  d.publish(queue, head);
  look();
  d.notify(queue);
  d.bench.run(3_000);
  look();
  d.bench.run(20_000);
  look();
  d.waitUsed(queue);
  look();
  assert.deepEqual(seen, ['free', 'building', 'available', 'in flight', 'used', 'free']);
});

test('a saved monitor goes on as if nothing had happened', () => {
  const d = block({ rules: { must: 'report' } });
  d.start();
  readSector(d);
  clearBit(d);
  const saved = d.bench.monitor.save();
  const before = JSON.stringify(saved, plain);
  const events = d.bench.monitor.events.length;
  readSector(d, 1);
  d.write('Status', 1);
  assert.equal(d.bench.monitor.violations.length, 2);
  assert.equal(JSON.stringify(saved, plain), before, 'what was saved does not change');
  d.bench.monitor.restore(saved);
  assert.equal(d.bench.monitor.events.length, events);
  assert.deepEqual(rulesOf(d), ['status.bit-cleared']);
  assert.equal(JSON.stringify(d.bench.monitor.save(), plain), before);
});

test('the event log is bounded, keeps its numbers and tells subscribers', () => {
  const d = block({ eventCapacity: 50 });
  const told: number[] = [];
  const unsubscribe = d.bench.monitor.events.subscribe(({ index }) => told.push(index));
  d.start();
  readSector(d);
  unsubscribe();
  const { events } = d.bench.monitor;
  const { length } = events;
  readSector(d, 1);
  assert.deepEqual(
    told,
    Array.from({ length }, (_, i) => i),
  );
  const kept = events.slice();
  assert.ok(kept.reduce((sum, event) => sum + weightOf(event), 0) <= 50);
  assert.ok(kept.length > 25);
  assert.equal(events.at(events.first - 1), undefined);
  assert.equal(events.at(events.length), undefined);
  assert.deepEqual(
    kept.map(({ index }) => index),
    Array.from({ length: events.length - events.first }, (_, i) => events.first + i),
  );
  assert.equal(events.newest?.index, events.length - 1);
  const { newest } = events;
  assert.equal(copyOf(newest), newest);
});

test('a consequence of one lap may be a cause in the next', () => {
  const d = block({ rules: { must: 'report' } });
  const finish = (): void => {
    d.negotiate();
    d.bench.store(d.register('Status'), 4, 1 | status.FEATURES_OK, loop);
  };
  d.probe();
  d.reset();
  d.acknowledge();
  finish();
  assert.deepEqual(d.bench.monitor.violations[0]?.consequences, [1]);
  d.reset();
  d.acknowledge();
  d.bench.store(d.register('Status'), 4, 1 | status.FEATURES_OK, loop);
  const [first, second] = d.bench.monitor.violations;
  assert.equal(second?.rule, 'init.no-driver');
  assert.equal(second.count, 2);
  assert.deepEqual(first?.consequences, []);
  assert.equal(d.bench.monitor.rootOf(1).number, 1);
});

test('no guest can make the list of violations endless', () => {
  const d = block({ rules: { must: 'report' }, eventCapacity: 10 });
  d.start();
  for (let i = 0; i < maximumViolations + 50; i++) d.bench.load(d.base + 0x1c, 4);
  assert.equal(d.bench.monitor.violations.length, maximumViolations);
});

test('an event log refuses gaps and capacities that hold nothing', () => {
  assert.throws(() => new EventLog(0), /capacity of 1 or more/);
  const log = new EventLog(4);
  const event: VirtioEvent = {
    kind: 'idle',
    by: 'board',
    device: undefined,
    harts: 1,
    index: 3,
    step: 0,
    virtualNanoseconds: 0,
  };
  assert.throws(() => log.append(event), /event 3 does not follow/);
  log.goTo(3);
  log.append(event);
  assert.deepEqual(log.slice(), [event]);
});

test('features that the driver did not accept are no reason to judge their rules', () => {
  const d = new ScriptedDriver(new Bench({ devices: [blockDevice()] }), {
    features: featureSet(feature.VERSION_1, feature.EVENT_IDX),
  });
  d.start();
  const { used, size } = d.queue();
  d.ram(used + usedOffset.availEvent(size), 2);
  assert.deepEqual(rulesOf(d), []);
});

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Map) return ['map', ...value];
  if (value instanceof Set) return ['set', ...value];
  return value;
}
