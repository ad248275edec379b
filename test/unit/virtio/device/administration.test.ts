// Administration virtqueues: where they stand, what commands do and how they fail, and flow filters that they set up.
// [virtio 1.4, 2.12.1, 2.13, 4.1.4.3, 5.1.9.6]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adminOpcode, adminQualifier, adminStatus } from '../../../../emulator/virtio/spec/administration';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { flowAction, flowCapability, flowObject } from '../../../../emulator/virtio/spec/net-flow-filter';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import {
  AdminDriver,
  adminFeatures,
  allCommands,
  type Answer,
  classifierData,
  filterPort,
  groupData,
  resource,
  ruleData,
  selectors,
  udpTypes,
  withoutAddress,
  words,
} from '../../../driver/administration';
import { Bench, blockDevice, netAddress, netDevice } from '../../../driver/bench';
import { readSector } from '../../../driver/block';
import { udp } from '../../../driver/frames';
import { PciDriver } from '../../../driver/pci-driver';

const { OK, EINVAL, ENXIO, EEXIST, EBUSY, ENOSPC } = adminStatus;

function net(pairs = 1, more = 0n): AdminDriver {
  const featuresOn = adminFeatures | more;
  const bench = new Bench({
    devices: [netDevice({ transport: 'pci', featuresOn, featuresOff: withoutAddress, pairs })],
  });
  const queues = Array.from({ length: 2 * pairs }, (_, queue) => queue);
  return AdminDriver.start(new PciDriver(bench, { features: featuresOn }), queues);
}
function assertSilent({ driver: { bench } }: AdminDriver): void {
  assert.deepEqual(
    bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}
function assertFails(answer: Answer, status: number, qualifier: keyof typeof adminQualifier): void {
  assert.deepEqual([answer.status, answer.qualifier], [status, adminQualifier[qualifier]]);
}
const bits = (answer: Answer): bigint => answer.result.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

describe('an administration virtqueue', () => {
  it('stands behind the other queues, and only with VIRTIO_F_ADMIN_VQ', () => {
    const { driver } = net();
    assert.deepEqual(
      ['num_queues', 'admin_queue_index', 'admin_queue_num'].map((field) => driver.field(field)),
      [3, 3, 1],
    );
    const bench = new Bench({ devices: [netDevice({ transport: 'pci', featuresOn: adminFeatures })] });
    const without = new PciDriver(bench, { queues: [0, 1] });
    without.start();
    assert.deepEqual([without.field('num_queues'), without.field('admin_queue_num')], [3, 0]);
    without.selectQueue(3);
    assert.equal(without.readMaximumSize(), 0);
  });

  it('is refused where there is no common configuration', () => {
    const devices = [blockDevice({ featuresOn: featureSet(feature.ADMIN_VQ) })];
    assert.throws(() => new Bench({ devices }), /VIRTIO_F_ADMIN_VQ cannot be offered on transport mmio/);
  });

  it('leaves the device beside it as it is', () => {
    const bench = new Bench({ devices: [blockDevice({ transport: 'pci', featuresOn: adminFeatures })] });
    const admin = AdminDriver.start(new PciDriver(bench, { features: adminFeatures }));
    assert.equal(bits(admin.send(adminOpcode.LIST_QUERY)), 3n, 'a disk has no capabilities');
    assert.equal(admin.send(adminOpcode.LIST_USE, words(3n)).status, OK);
    readSector(admin.driver, 9);
    assert.equal(admin.driver.ram(admin.driver.buffer(0x100), 1), 9);
    assertSilent(admin);
  });
});

describe('commands', () => {
  it('are listed, and then used', () => {
    const admin = net();
    assert.equal(bits(admin.send(adminOpcode.LIST_QUERY)), allCommands);
    assert.equal(admin.send(adminOpcode.LIST_USE, words(allCommands)).status, OK);
    const ids = bits(admin.send(adminOpcode.CAP_ID_LIST_QUERY));
    assert.equal(
      ids,
      Object.values(flowCapability).reduce((all, id) => all | (1n << BigInt(id)), 0n),
    );
    assertSilent(admin);
  });

  it('fail by group, then opcode, then member', () => {
    const admin = net();
    const empty = new Uint8Array(0);
    assertFails(admin.send(0x99, empty, 1, 1), EINVAL, 'INVALID_GROUP');
    assertFails(admin.send(0x99, empty, 0, 1), EINVAL, 'INVALID_OPCODE');
    assertFails(admin.send(adminOpcode.CAP_ID_LIST_QUERY), EINVAL, 'INVALID_OPCODE');
    admin.useAll();
    assertFails(admin.send(adminOpcode.CAP_ID_LIST_QUERY, empty, 0, 1), EINVAL, 'INVALID_MEMBER');
    assert.equal(admin.send(adminOpcode.LIST_QUERY, empty, 0, 1).status, OK, 'its member is unused');
  });

  it('outside the list that the driver uses fail, those about lists too', () => {
    const admin = net();
    assertFails(admin.send(adminOpcode.LIST_USE, words(allCommands | 0x40n)), EINVAL, 'INVALID_FIELD');
    assert.equal(admin.send(adminOpcode.LIST_USE, words(2n)).status, OK);
    assertFails(admin.send(adminOpcode.LIST_QUERY), EINVAL, 'INVALID_OPCODE');
  });

  it('may be shorter or longer than their structures', () => {
    const admin = net();
    admin.publish(Uint8Array.of(0), 4);
    admin.driver.notifyIfWanted(admin.queue);
    assert.equal(admin.wait().status, OK);
    assert.equal(admin.send(adminOpcode.LIST_QUERY, new Uint8Array(400)).status, OK);
  });

  it('are forgotten by a reset', () => {
    const admin = net();
    admin.useAll();
    const again = AdminDriver.start(admin.driver, [0, 1]);
    assertFails(again.send(adminOpcode.CAP_ID_LIST_QUERY), EINVAL, 'INVALID_OPCODE');
  });
});

describe('capabilities and objects', () => {
  it('have limits that the driver sets and keeps', () => {
    const admin = net();
    admin.useAll();
    assertFails(admin.send(adminOpcode.DEVICE_CAP_GET, words(5n)), ENXIO, 'INVALID_FIELD');
    assertFails(admin.create(flowObject.GROUP, 0, groupData(1)), EINVAL, 'INVALID_OPCODE');
    admin.useFlowFilters();
    const limited = new Uint8Array(28);
    limited.set(words(BigInt(flowCapability.RESOURCE)));
    limited[8] = 2;
    assert.equal(admin.send(adminOpcode.DRIVER_CAP_SET, limited).status, OK);
    assert.equal(admin.create(flowObject.GROUP, 1, groupData(1)).status, OK);
    assertFails(admin.create(flowObject.GROUP, 2, groupData(2)), ENOSPC, 'INVALID_FIELD');
    assertFails(admin.create(flowObject.GROUP, 1, groupData(2)), EEXIST, 'INVALID_FIELD');
    assertFails(admin.send(adminOpcode.DRIVER_CAP_SET, limited), EBUSY, 'INVALID_COMMAND');
    limited[8] = 200;
    assert.equal(admin.destroy(flowObject.GROUP, 1).status, OK);
    assertFails(admin.send(adminOpcode.DRIVER_CAP_SET, limited), EINVAL, 'INVALID_FIELD');
  });

  it('depend on each other', () => {
    const admin = net();
    admin.useFlowFilters();
    assertFails(admin.create(flowObject.RULE, 0, ruleData(udpTypes)), EINVAL, 'INVALID_FIELD');
    assert.equal(filterPort(admin, 53).status, OK);
    assertFails(admin.destroy(flowObject.GROUP, 0), EBUSY, 'INVALID_COMMAND');
    assertFails(admin.destroy(flowObject.RULE, 4), ENXIO, 'INVALID_FIELD');
    for (const type of [flowObject.RULE, flowObject.CLASSIFIER, flowObject.GROUP])
      assert.equal(admin.destroy(type, 0).status, OK);
  });

  it('are given back as they were created or changed', () => {
    const admin = net();
    admin.useFlowFilters();
    admin.create(flowObject.GROUP, 0, groupData(0x1234));
    const query = (): number[] => [
      ...admin
        .send(adminOpcode.RESOURCE_OBJ_QUERY, resource(flowObject.GROUP, 0, new Uint8Array(0)))
        .result.slice(0, 2),
    ];
    assert.deepEqual(query(), [0x34, 0x12]);
    admin.send(adminOpcode.RESOURCE_OBJ_MODIFY, resource(flowObject.GROUP, 0, groupData(0x77)));
    assert.deepEqual(query(), [0x77, 0]);
    assertSilent(admin);
  });

  it('that make no sense are refused and change nothing', () => {
    const admin = net();
    admin.useFlowFilters();
    filterPort(admin, 53);
    for (const [type, own] of [
      [flowObject.GROUP, groupData(1)],
      [flowObject.CLASSIFIER, classifierData(selectors([2]))],
      [flowObject.RULE, ruleData(udpTypes, { action: 4 })],
      [flowObject.RULE, ruleData(udpTypes, { action: flowAction.DIRECT_RX_VQ, queue: 1 })],
      [flowObject.RULE, ruleData(udpTypes.slice(0, 2))],
    ] as const)
      assertFails(admin.create(type, 1, own), EINVAL, 'INVALID_FIELD');
    assertFails(admin.create(0x300, 1, groupData(1)), ENXIO, 'INVALID_FIELD');
  });

  it('survive whatever bytes a command has', () => {
    const admin = net();
    admin.useFlowFilters();
    let seed = 1;
    const byte = (): number => (seed = (seed * 1103515245 + 12345) >>> 0) >>> 24;
    for (let turn = 0; turn < 150; turn++) {
      const opcodes = Object.values(adminOpcode).slice(2);
      const data = Uint8Array.from({ length: byte() }, (_, i) => (i === 1 ? 2 : i < 8 ? byte() & 3 : byte()));
      const { status } = admin.send(opcodes[turn % opcodes.length] ?? 0, data);
      assert.ok(Object.values(adminStatus).some((known) => known === status));
    }
    assert.equal(admin.driver.bench.devices[0]?.inspect().needsReset, undefined);
  });
});

describe('flow filters', () => {
  const ends = { to: [...netAddress], from: [2, 0, 0, 0, 0, 1], source: [10, 0, 2, 2], destination: [10, 0, 2, 15] };
  const frame = (port: number): Uint8Array => udp(ends, 4000, port, Uint8Array.of(1, 2, 3));
  /** Puts a buffer into each receive queue, lets a frame come, and says which queues gave theirs back. */
  function receivedBy(admin: AdminDriver, port: number, queues: readonly number[]): readonly number[] {
    const { driver } = admin;
    for (const index of queues) {
      const queue = driver.queue(index);
      const piece = { address: driver.buffer(0x7_0000 + index * 0x800), length: 0x800, deviceWritable: true };
      driver.publish(queue, driver.addChain(queue, [piece]));
      driver.notifyIfWanted(queue);
    }
    driver.bench.run(20_000);
    driver.bench.input('net0', frame(port));
    driver.bench.run(100_000);
    return queues.filter((index) => driver.hasUsed(driver.queue(index)));
  }

  it('drop what matches', () => {
    for (const [port, expected] of [
      [53, []],
      [54, [0]],
    ] as const) {
      const admin = net();
      admin.useFlowFilters();
      filterPort(admin, 53);
      assert.deepEqual(receivedBy(admin, port, [0]), expected);
    }
  });

  it('direct what matches to a receive queue', () => {
    for (const [port, expected] of [
      [53, [2]],
      [54, [0]],
    ] as const) {
      const more = featureSet(netFeature.MQ, netFeature.CTRL_VQ);
      const admin = net(2, more);
      const { driver } = admin;
      const ring = driver.buffer(0x6_0000);
      driver.setUpQueue(4, { descriptors: ring, available: ring + 0x1000, used: ring + 0x2000 });
      admin.useFlowFilters();
      filterPort(admin, 53, { action: flowAction.DIRECT_RX_VQ, queue: 2 });
      const pairs = Uint8Array.of(4, 0, 2, 0);
      for (let i = 0; i < 4; i++) driver.bench.store(driver.buffer(0x100 + i), 1, pairs[i] ?? 0);
      driver.submit(driver.queue(4), [
        { address: driver.buffer(0x100), length: 4 },
        { address: driver.buffer(0x110), length: 1, deviceWritable: true },
      ]);
      assert.deepEqual(receivedBy(admin, port, [0, 2]), expected);
    }
  });

  it('are gone after a reset', () => {
    const admin = net();
    admin.useFlowFilters();
    filterPort(admin, 53);
    const again = AdminDriver.start(admin.driver, [0, 1]);
    assert.deepEqual(receivedBy(again, 53, [0]), [0]);
  });
});
