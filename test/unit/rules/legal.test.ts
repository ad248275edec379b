// Legal but unusual drivers: none of them may be reported. A false alarm is a bug of the first rank.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockRequestType } from '../../../emulator/virtio/spec/block';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { availableOffset, descriptorBytes, descriptorFlag, usedOffset } from '../../../emulator/virtio/spec/split-ring';
import { status } from '../../../emulator/virtio/spec/status';
import { Bench, blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { type DriverOptions, type DriverQueue, type Piece, ScriptedDriver } from '../../driver/driver';
import { TestModel } from '../../driver/model';

const eventIdx: DriverOptions = { features: featureSet(feature.VERSION_1, feature.EVENT_IDX) };

/** Keeps the first buffer for ever and gives back the others. */
class HoldingModel extends TestModel {
  private held = false;
  protected override take(queue: number): void {
    const buffer = this.nextBuffer(queue);
    if (buffer === undefined) return;
    if (this.held) this.giveBack(buffer);
    this.held = true;
  }
}

function block(options: DriverOptions = {}): ScriptedDriver {
  return new ScriptedDriver(new Bench({ devices: [blockDevice()] }), options);
}

function assertSilent({ bench }: ScriptedDriver): void {
  assert.deepEqual(
    bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}

for (const [name, options] of [
  ['used flags', {}],
  ['event indices', eventIdx],
] as const) {
  test(`a long session with ${name}`, () => {
    const d = block(options);
    d.start();
    d.readWide(0);
    for (let sector = 0; sector < 40; sector++) {
      readSector(d, sector);
      d.serveInterrupt();
    }
    d.bench.idle();
    assertSilent(d);
  });

  test(`several chains under one notification, with ${name}`, () => {
    const d = block(options);
    d.start();
    const queue = d.queue();
    const heads = [0, 0x1000].map((at) => d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN, { at }))));
    for (const head of heads) d.publish(queue, head);
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
    d.waitUsed(queue);
    d.bench.idle();
    assertSilent(d);
  });

  test(`one publish of several slots, with ${name}`, () => {
    const d = block(options);
    d.start();
    const queue = d.queue();
    for (const at of [0, 0x1000]) {
      d.storeSlot(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN, { at }))));
      queue.availableIndex++;
    }
    d.storeIndex(queue, queue.availableIndex);
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
    d.waitUsed(queue);
    d.bench.idle();
    assertSilent(d);
  });

  test(`a driver that idles while its request is under way, with ${name}`, () => {
    const d = block(options);
    d.start();
    const queue = d.queue();
    d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
    d.notifyIfWanted(queue);
    while (!d.hasUsed(queue)) assert.ok(d.bench.idle(), 'something is due');
    d.collect(queue);
    d.bench.idle();
    assertSilent(d);
  });
}

test('buffers made available before DRIVER_OK and notified after it', () => {
  const d = new ScriptedDriver(new Bench({ devices: [consoleDevice()] }));
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.confirmFeatures();
  const queue = d.setUpQueue(0);
  d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 64, deviceWritable: true }]));
  d.driverOk();
  d.notify(queue);
  d.bench.run(5_000);
  d.bench.idle();
  assertSilent(d);
});

test('notifications that nobody asked for, and none where nothing was published', () => {
  const d = block();
  d.start();
  for (let i = 0; i < 3; i++) d.notify(d.queue());
  readSector(d);
  d.notify(d.queue());
  d.bench.idle();
  assertSilent(d);
});

test('a chain published again with its descriptors unchanged', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  const head = d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN)));
  for (let i = 0; i < 20; i++) {
    d.publish(queue, head);
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
  }
  assertSilent(d);
});

test('storing into an owned descriptor what it already holds', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  const head = d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN)));
  d.publish(queue, head);
  d.notify(queue);
  d.bench.store(queue.descriptors + head * descriptorBytes + 8, 4, 16);
  d.waitUsed(queue);
  assertSilent(d);
});

test('slots filled once and for all', () => {
  const d = block();
  d.start();
  const queue = d.queue();
  const head = d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN)));
  for (let slot = 0; slot < queue.size; slot++) d.bench.store(queue.available + availableOffset.ring(slot), 2, head);
  for (let i = 0; i < 20; i++) {
    queue.availableIndex++;
    d.storeIndex(queue, queue.availableIndex);
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
  }
  assertSilent(d);
});

test('descriptors written in two wide stores', () => {
  class Wide extends ScriptedDriver {
    override writeDescriptor(table: number, index: number, piece: Piece, flags: number, next: number): void {
      const at = table + index * descriptorBytes;
      this.bench.store(at, 8, piece.address);
      this.bench.store(at + 8, 8, BigInt(piece.length) | (BigInt(flags) << 32n) | (BigInt(next) << 48n));
    }
  }
  const d = new Wide(new Bench({ devices: [blockDevice()] }));
  d.start();
  for (let i = 0; i < 10; i++) readSector(d, i);
  assertSilent(d);
});

test('a slot reused while an older chain is still in flight', () => {
  const held = new HoldingModel();
  const d = new ScriptedDriver(new Bench({ own: { model: held, offered: featureSet(feature.VERSION_1) } }));
  d.start();
  const queue = d.queue();
  const send = (): void => d.publish(queue, d.addChain(queue, [{ address: d.buffer(), length: 16 }]));
  send();
  d.notifyIfWanted(queue);
  d.bench.run(3_000);
  for (let i = 1; i <= queue.size; i++) {
    // Descriptor 0 stays with the chain that the device holds back.
    if (queue.nextFree % queue.size === 0) queue.nextFree++;
    send();
    d.notifyIfWanted(queue);
    d.waitUsed(queue);
  }
  assertSilent(d);
});

test('indices that wrap at 65536', () => {
  const d = new ScriptedDriver(
    new Bench({
      own: { model: new TestModel({ queueSize: 256 }), offered: featureSet(feature.VERSION_1) },
      eventCapacity: 1000,
    }),
    { queueSize: 256 },
  );
  d.start();
  const queue = d.queue();
  for (let index = 0; index < queue.size; index++) {
    d.writeDescriptor(queue.descriptors, index, { address: d.buffer(), length: 4 }, 0, 0);
    d.bench.store(queue.available + availableOffset.ring(index), 2, index, 0x7000_0000n);
  }
  for (let round = 0; round < 258; round++) {
    queue.availableIndex = (queue.availableIndex + queue.size) & 0xffff;
    d.bench.store(queue.available + availableOffset.idx, 2, queue.availableIndex, 0x7000_0010n);
    d.notifyIfWanted(queue);
    while (d.ram(queue.used + usedOffset.idx, 2, 0x7000_0020n) !== queue.availableIndex) d.bench.run(20_000);
  }
  assert.ok(queue.availableIndex < 1024, 'the index has wrapped');
  assertSilent(d);
});

test('a poll of InterruptStatus outside the handler', () => {
  const d = block();
  d.start();
  readSector(d);
  d.serveInterrupt();
  readSector(d);
  d.bench.run(100);
  d.readInterruptStatus();
  assert.ok(d.serveInterrupt());
  assert.equal(d.serveInterrupt(), false);
  assertSilent(d);
});

test('a handler that leaves reading and acknowledging to a thread, with the source masked meanwhile', () => {
  const d = block();
  d.start();
  readSector(d);
  d.bench.run(100);
  const source = d.bench.claim();
  d.bench.maskInterrupts();
  d.bench.complete(source);
  d.acknowledgeInterrupt(d.readInterruptStatus());
  d.bench.unmaskInterrupts();
  readSector(d);
  d.bench.run(100);
  assert.ok(d.serveInterrupt());
  assertSilent(d);
});

test('a driver that polls and never serves interrupts', () => {
  const d = block();
  d.start();
  for (let i = 0; i < 5; i++) readSector(d, i);
  assertSilent(d);
});

test('interrupts suppressed by flag, then wanted again', () => {
  const d = block();
  d.start();
  d.bench.store(d.queue().available, 2, 1);
  readSector(d);
  d.bench.store(d.queue().available, 2, 0);
  readSector(d);
  assertSilent(d);
});

test('a second lap with other memory; the first lap memory is used for something else', () => {
  const d = block();
  d.start();
  readSector(d);
  const old = d.queue();
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, blockRequestType.IN))));
  d.notify(queue);
  d.bench.run(2_000);
  d.reset();
  for (let at = old.descriptors; at < old.descriptors + 0x80; at += 8) d.bench.store(at, 8, -1n);
  d.bench.store(old.used, 8, -1n);
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.confirmFeatures();
  d.setUpQueue(0, {
    descriptors: old.descriptors + 0x8000,
    available: old.available + 0x8000,
    used: old.used + 0x8000,
  });
  d.driverOk();
  readSector(d);
  assertSilent(d);
});

test('giving up, and trying again after a reset', () => {
  const d = block();
  d.start();
  d.addStatus(status.FAILED);
  d.read('Status');
  d.reset();
  d.start();
  readSector(d);
  assertSilent(d);
});

test('a queue stopped, read back and set up again', () => {
  const d = block();
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
  d.negotiate();
  d.confirmFeatures();
  d.setUpQueue(0);
  d.stopQueue();
  d.setUpQueue(0);
  d.driverOk();
  readSector(d);
  assertSilent(d);
});

test('accesses of empty slots by a driver that looks for devices', () => {
  const bench = new Bench({ devices: [blockDevice()] });
  for (let slot = 0; slot < 8; slot++) {
    const d = new ScriptedDriver(bench, { slot });
    d.read('MagicValue');
    d.read('Version');
    if (d.read('DeviceID') !== 0) d.read('VendorID');
    assertSilent(d);
  }
});

/**
 * What Linux 6.1 does on virtio-mmio with a block device: no wait after a reset, but a read of Status before each write to it,
 * interrupts acknowledged before the queues are looked at, used_event and flags as in its split ring code.
 */
class LinuxDriver extends ScriptedDriver {
  override awaitReset(): void {
    // virtio_mmio writes 0 and goes on.
  }
  override addStatus(bit: number): void {
    this.write('Status', this.read('Status') | bit);
  }
  override placeQueue(index: number): DriverQueue {
    const queue = super.placeQueue(index);
    const available = queue.descriptors + queue.size * descriptorBytes;
    return { ...queue, available, used: Math.ceil((available + 6 + 2 * queue.size) / 4096) * 4096 };
  }
  interrupt(queue: DriverQueue): boolean {
    const source = this.bench.claim();
    if (source === 0) return false;
    this.write('InterruptACK', this.read('InterruptStatus'));
    do {
      this.disableCallback(queue);
      while (this.hasUsed(queue)) this.collect(queue);
      this.enableCallback(queue);
    } while (this.hasUsed(queue));
    this.bench.complete(source);
    return true;
  }
  private disableCallback(queue: DriverQueue): void {
    this.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, 0);
  }
  private enableCallback(queue: DriverQueue): void {
    this.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, queue.lastUsed);
  }
}

test('Linux on virtio-mmio is told nothing, until it removes a device without waiting for the reset', () => {
  const d = new LinuxDriver(new Bench({ devices: [blockDevice()] }), {
    features: featureSet(feature.VERSION_1, feature.EVENT_IDX, feature.INDIRECT_DESC),
    queueSize: 128,
  });
  d.start();
  d.readWide(0);
  const queue = d.queue();
  for (let i = 0; i < 30; i++) {
    const pieces = piecesOf(blockParts(d, blockRequestType.IN, { sector: i }));
    const head = i % 2 === 0 ? d.addIndirectChain(queue, pieces, d.table((i % 8) * 64)) : d.addChain(queue, pieces);
    d.publish(queue, head);
    d.notifyIfWanted(queue);
    for (let turn = 0; turn < 50 && !d.interrupt(queue); turn++) d.bench.idle();
  }
  assertSilent(d);
  d.reset();
  d.selectQueue(0);
  d.stopQueue();
  d.bench.idle();
  assert.deepEqual(
    d.bench.monitor.violations.map(({ rule, level }) => [rule, level]),
    [['status.reset-not-read-back', 'should']],
  );
});

test('flags of a descriptor that only names a table', () => {
  const d = block({ features: featureSet(feature.VERSION_1, feature.INDIRECT_DESC) });
  d.start();
  const queue = d.queue();
  const head = d.addIndirectChain(queue, piecesOf(blockParts(d, blockRequestType.IN)), d.table());
  // A device ignores WRITE beside INDIRECT. [2.7.5.3.2]
  d.bench.store(queue.descriptors + head * descriptorBytes + 12, 2, descriptorFlag.INDIRECT | descriptorFlag.WRITE);
  d.publish(queue, head);
  d.notifyIfWanted(queue);
  d.waitUsed(queue);
  assertSilent(d);
});
