// From a machine to the page's model: a scripted driver goes the way of a request, and every picture on it says what is true.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blockRequestType } from '../../../emulator/virtio/spec/block';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { descriptorOffset } from '../../../emulator/virtio/spec/split-ring';
import { rowsToSend } from '../../../extension/views/pictures/queue';
import { projectInspector, type ProjectionSource } from '../../../extension/views/projection';
import type { ViolationReport } from '../../../extension/debug/target';
import { reportViolation } from '../../../extension/worker/violation-report';
import { parseIntent, parsePageMessage, plainText, type InspectorModel } from '../../../webview/model/inspector';
import { Bench, blockDevice, consoleDevice, entropyDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import { ScriptedDriver } from '../../driver/driver';
import { PackedDriver } from '../../driver/packed-driver';
import { PciDriver } from '../../driver/pci-driver';

function reportsOf(bench: Bench): readonly ViolationReport[] {
  return bench.monitor.violations.map((violation) =>
    reportViolation(violation, {
      stack: [],
      source: undefined,
      function: 'start',
      blamedFrame: 0,
      relatedSource: undefined,
    }),
  );
}

function sourceOf(bench: Bench, isRunning = false): ProjectionSource {
  return {
    machine: {
      steps: bench.steps,
      memory: bench.memory,
      clock: bench.clock,
      configuration: { devices: [blockDevice()] },
      virtio: { devices: bench.devices },
      monitor: bench.monitor,
    },
    symbols: undefined,
    isRunning,
    allViolations: () => reportsOf(bench),
  };
}

function look(bench: Bench, request = {}, isRunning = false): InspectorModel {
  const model = projectInspector(sourceOf(bench, isRunning), request, 1, () => []);
  assert.notEqual(parsePageMessage(JSON.parse(JSON.stringify({ type: 'snapshot', model }))), null);
  assert.deepEqual(JSON.parse(JSON.stringify(model)), model, 'a model is plain data');
  return model;
}
function deviceOf(model: InspectorModel): NonNullable<InspectorModel['device']> {
  assert.ok(model.device !== null);
  return model.device;
}
function queueOf(model: InspectorModel): NonNullable<InspectorModel['queue']> {
  assert.ok(model.queue !== null);
  return model.queue;
}
const said = (model: InspectorModel): string => (model.narration === null ? '' : plainText(model.narration.sentence));

const ring = featureSet(feature.VERSION_1, feature.INDIRECT_DESC, feature.EVENT_IDX);
function blockBench(): { bench: Bench; driver: ScriptedDriver } {
  const bench = new Bench({ devices: [blockDevice()] });
  return { bench, driver: new ScriptedDriver(bench, { features: ring }) };
}

describe('before the driver', () => {
  it('no machine is no session', () => {
    const model = projectInspector(
      { machine: undefined, symbols: undefined, isRunning: false, allViolations: () => [] },
      {},
      4,
    );
    assert.equal(model.session, 'none');
    assert.equal(model.sequence, 4);
  });
  it('an untouched device says where it waits', () => {
    const { bench } = blockBench();
    const device = deviceOf(look(bench));
    assert.equal(device.discovery?.title, 'The guest has not found vda yet');
    assert.equal(device.discovery.slot, 7);
    assert.match(plainText(device.discovery.text), /0x1000_8000/);
    assert.equal(look(bench).narration, null);
  });
});

describe('the handshake', () => {
  it('shows what has been and what may come next', () => {
    const { bench, driver } = blockBench();
    driver.probe();
    driver.reset();
    driver.acknowledge();
    driver.driver();
    const { handshake, discovery } = deviceOf(look(bench));
    assert.equal(discovery, null);
    assert.deepEqual(
      handshake.states.map(({ name, progress }) => [name, progress]),
      [
        ['RESET', 'done'],
        ['ACKNOWLEDGE', 'done'],
        ['DRIVER', 'current'],
        ['FEATURES_OK', 'next'],
        ['DRIVER_OK', 'later'],
      ],
    );
    assert.equal(handshake.status, '0x03');
    assert.match(plainText(handshake.next), /sets FEATURES_OK/);
    assert.match(said(look(bench)), /^Driver set DRIVER; Status 0x01 → 0x03\./);
  });
  it('is drawn in the dialect that the device speaks', () => {
    const bench = new Bench({ devices: [blockDevice({ dialect: 'draft-virtio30' })] });
    const driver = new ScriptedDriver(bench);
    driver.probe();
    driver.reset();
    driver.acknowledge();
    driver.negotiate();
    driver.driver();
    const { handshake } = deviceOf(look(bench));
    assert.deepEqual(
      handshake.states.map(({ name, progress }) => [name, progress]),
      [
        ['RESET', 'done'],
        ['ACKNOWLEDGE', 'done'],
        ['DRIVER', 'current'],
        ['DRIVER_OK', 'next'],
        ['DEVICE_OK', 'later'],
      ],
    );
    assert.match(plainText(handshake.next), /reads status again, may accept less/);
    assert.ok(handshake.bits.some(({ name }) => name === 'DEVICE_OK'));
  });
  it('ends live, with its facts', () => {
    const { bench, driver } = blockBench();
    driver.start();
    const { handshake, features } = deviceOf(look(bench));
    assert.equal(handshake.states.at(-1)?.progress, 'current');
    assert.match(handshake.caption, /in the order that 1\.x demands/);
    const facts = handshake.states.flatMap((state) => state.facts.map((fact) => plainText(fact.text)));
    assert.ok(
      facts.some((fact) => /^kept; re-read at 0x/.test(fact)),
      facts.join('\n'),
    );
    assert.ok(facts.includes('live, 1 queue ready'));
    assert.deepEqual(handshake.next, []);
    const eventIdx = features.rows.find((row) => row.bit === feature.EVENT_IDX);
    assert.deepEqual([eventIdx?.offered, eventIdx?.accepted, eventIdx?.effective], [true, true, true]);
  });
  it('that the device refuses stays at the bit it has', () => {
    const { bench, driver } = blockBench();
    driver.probe();
    driver.reset();
    driver.acknowledge();
    driver.driver();
    driver.readOffer();
    driver.accepted = featureSet(feature.VERSION_1, 12);
    driver.writeFeatures();
    driver.addStatus(8);
    const model = look(bench);
    const { handshake, features } = deviceOf(model);
    const featuresOk = handshake.states.find((state) => state.name === 'FEATURES_OK');
    assert.equal(featuresOk?.progress, 'next');
    assert.ok(featuresOk.facts.some((fact) => plainText(fact.text) === 'refused: the bit stays clear'));
    const row = features.rows.find((each) => each.bit === 12);
    assert.deepEqual([row?.offered, row?.accepted, row?.violated], [false, true, true]);
    assert.match(said(model), /because the device refused FEATURES_OK/);
  });
  it('begins a new lap at a reset and remembers the one before', () => {
    const { bench, driver } = blockBench();
    driver.start();
    driver.reset();
    const { handshake } = deviceOf(look(bench));
    const lane = handshake.lanes.find((each) => each.reached !== undefined);
    assert.deepEqual(lane?.reached, { count: 5, of: 5 });
    assert.match(plainText(lane?.text ?? []), /^reached DRIVER_OK at step/);
    assert.equal(handshake.states[0]?.progress, 'current');
  });
});

describe('a request on its way', () => {
  function publish(): { bench: Bench; driver: ScriptedDriver; head: number } {
    const { bench, driver } = blockBench();
    driver.start();
    const queue = driver.queue();
    const head = driver.addChain(queue, piecesOf(blockParts(driver, blockRequestType.IN, { sector: 5 })));
    driver.publish(queue, head);
    return { bench, driver, head };
  }

  it('is a draft before it is published', () => {
    const { bench, driver } = blockBench();
    driver.start();
    driver.addChain(driver.queue(), piecesOf(blockParts(driver, blockRequestType.IN)));
    const queue = queueOf(look(bench));
    assert.equal(queue.states, 'BBBFFFFF');
    assert.equal(queue.chains[0]?.head, null);
    assert.deepEqual(
      queue.chains[0]?.cards.map((card) => card.descriptor),
      [0, 1, 2],
    );
    assert.equal(queue.chainSummary, 'none in flight, 1 being built');
  });

  it('is available, decoded, and waits for the device', () => {
    const { bench } = publish();
    const model = look(bench);
    const queue = queueOf(model);
    assert.equal(queue.states, 'AAAFFFFF');
    const [chain] = queue.chains;
    assert.equal(chain?.request, 'read 512 bytes, sector 5');
    assert.deepEqual(
      chain?.cards.map(({ role, direction, note }) => [role, direction, note]),
      [
        ['header', 'out', 'IN'],
        ['data', 'in', ''],
        ['status', 'in', 'not set'],
      ],
    );
    assert.equal(queue.available.rest, '1 to fetch');
    assert.deepEqual(queue.wires, [
      { from: 'available', row: 0, descriptor: 0, who: 'device', draft: true, violated: false },
    ]);
    assert.equal(said(model).split('. ')[0], 'Driver published head 0 in slot 0 of queue 0; avail.idx 0 → 1');
    const { detail } = queue.descriptors[0] ?? {};
    assert.deepEqual(
      detail?.fields.map((field) => [field.name, field.value]),
      [
        ['type', '0'],
        ['reserved', '0'],
        ['sector', '5'],
      ],
    );
    assert.equal(detail?.bytes[2], '05 00 00 00 00 00 00 00');
  });

  it('is in the device between fetch and used, with the time that is left', () => {
    const { bench, driver } = publish();
    driver.notify(driver.queue());
    bench.run(1_500);
    const queue = queueOf(look(bench));
    assert.equal(queue.states, 'IIIFFFFF');
    assert.match(plainText(queue.chains[0]?.waiting ?? []), /^In the device, fetched .* ago, due in /);
    const progress = queue.chains[0]?.progress ?? -1;
    assert.ok(progress > 0 && progress < 0.2, `${progress}`);
    assert.equal(deviceOf(look(bench)).queues[0]?.caption, '1 in flight');
  });

  it('is used with its status, and free again once collected', () => {
    const { bench, driver } = publish();
    driver.notify(driver.queue());
    bench.run(20_000);
    const used = look(bench);
    assert.equal(queueOf(used).states, 'UUUFFFFF');
    assert.equal(queueOf(used).chains[0]?.cards[2]?.note, 'OK');
    assert.deepEqual(queueOf(used).used.rows[0]?.state, 'U');
    assert.equal(queueOf(used).used.rest, '1 to collect');
    assert.equal(deviceOf(used).interrupt.stages[0]?.lit, 'device');
    driver.waitUsed(driver.queue());
    const free = look(bench);
    assert.equal(queueOf(free).states, 'FFFFFFFF');
    assert.match(
      plainText(queueOf(free).idle ?? []),
      /four indices agree at 1\. Last request: read 1 sector from sector 5, OK\./,
    );
    assert.equal(deviceOf(free).requests[0]?.state, 'OK');
    assert.equal(
      deviceOf(free).queues[0]?.counters.find((counter) => counter.name === 'notify / request')?.value,
      '1.00',
    );
  });

  it('shows an indirect table inside its card', () => {
    const { bench, driver } = blockBench();
    driver.start();
    const queue = driver.queue();
    driver.publish(
      queue,
      driver.addIndirectChain(queue, piecesOf(blockParts(driver, blockRequestType.OUT, { sector: 9 })), driver.table()),
    );
    const [chain] = queueOf(look(bench)).chains;
    assert.equal(chain?.request, 'write 512 bytes, sector 9');
    assert.equal(chain?.cards.length, 1);
    assert.deepEqual(
      chain?.cards[0]?.table?.map((card) => card.role),
      ['header', 'data', 'status'],
    );
    assert.equal(chain?.cards[0]?.direction, 'table');
  });

  it('does not take the free list for a request', () => {
    const { bench, driver } = blockBench();
    driver.start();
    readSector(driver);
    bench.store(driver.queue().descriptors + 5 * 16 + descriptorOffset.next, 2, 6);
    const queue = queueOf(look(bench));
    assert.equal(queue.states, 'FFFFFFFF');
    assert.deepEqual(queue.chains, []);
  });
});

describe('a violation', () => {
  it('of a PCI device names registers as PCI does', () => {
    const bench = new Bench({ devices: [blockDevice({ transport: 'pci' })] });
    const driver = new PciDriver(bench);
    driver.start();
    driver.write('Status', 1);
    const model = look(bench);
    const [violation] = model.violations;
    const { moments } = violation ?? assert.fail('nothing was found');
    assert.equal(moments.find(({ blamed }) => blamed)?.title, 'Accessed device_status');
    assert.doesNotMatch(JSON.stringify(moments), /\bStatus/);
  });

  function ownedStore(): Bench {
    const { bench, driver } = blockBench();
    driver.start();
    const queue = driver.queue();
    const head = driver.addChain(queue, piecesOf(blockParts(driver, blockRequestType.IN)));
    driver.publish(queue, head);
    driver.notify(queue);
    bench.run(1_500);
    driver.writeDescriptor(queue.descriptors, 1, { address: driver.buffer(0x4000), length: 512 }, 3, 2);
    return bench;
  }

  it('that was passed is told without marking cells', () => {
    const bench = ownedStore();
    bench.run(5);
    const model = look(bench);
    assert.equal(model.session, 'stopped');
    const violation = model.violations.find((each) => each.family === 'ownership');
    assert.ok(violation !== undefined, model.violations.map((each) => each.rule).join());
    assert.equal(violation.device, 'vda');
    assert.equal(violation.queue, 0);
    assert.ok(model.events.some((event) => event.mark === 'violation'));
    assert.ok(queueOf(model).descriptors.every((row) => row.violated === undefined));
  });

  it('that the machine stands at marks its cell, its card and the sentence', () => {
    const { bench, driver } = blockBench();
    driver.start();
    const queue = driver.queue();
    driver.publish(queue, driver.addChain(queue, piecesOf(blockParts(driver, blockRequestType.IN))));
    driver.notify(queue);
    bench.run(1_500);
    const address = queue.descriptors + 16;
    const before = bench.memory.read64(address);
    // The machine stands in front of the store: the attempt was judged, memory is unchanged, no step has passed.
    bench.monitor.attempt({
      by: 'driver',
      hart: 0,
      pc: 0x8000_4000n,
      device: 'vda',
      queue: 0,
      kind: 'ring-store',
      place: { part: 'descriptor', index: 1, field: 'addr' },
      physicalAddress: address,
      before,
      after: 0x8033_2000n,
      partial: false,
      acquire: false,
      release: false,
    });
    const model = look(bench);
    assert.equal(model.session, 'violation');
    assert.equal(model.standingAt, model.violations[0]?.id);
    const row = queueOf(model).descriptors[1];
    assert.deepEqual(row?.violated, { column: 'addr', value: '0x8033_2000' });
    assert.notEqual(row.address, '0x8033_2000', 'memory still holds the old value');
    assert.equal(queueOf(model).chains[0]?.violated, true);
    assert.equal(queueOf(model).chains[0]?.cards[1]?.violated, true);
    assert.equal(model.narration?.violation, true);
    assert.match(said(model), /The access has not taken effect\.$/);
    assert.equal(model.narration.difference?.title, 'desc[1].addr, if you continue');
    const [violation] = model.violations;
    assert.deepEqual(
      violation?.ownership?.phases.map((phase) => phase.label.split(',')[0]),
      ['available', 'in the device', 'would stay in the device'],
    );
    assert.deepEqual(
      violation.ring?.chains[0]?.cells.map((cell) => cell.violated),
      [false, true, false],
    );
    for (const action of violation.actions) assert.notEqual(parseIntent(action.intent), null, action.label);
    assert.equal(look(bench, {}, true).session, 'running');
    assert.deepEqual(
      [violation.muted, violation.policy.find((each) => each.name === 'this rule')?.value],
      [false, 'breaks'],
    );
    bench.monitor.policy.set({ pattern: violation.rule, device: 'vda', action: 'report', source: 'mute' });
    const [muted] = look(bench).violations;
    assert.equal(muted?.muted, true);
    assert.ok(muted.actions.some((action) => action.label === 'Unmute'));
  });
});

describe('other devices', () => {
  it('are all drawn', () => {
    for (const device of [consoleDevice(), entropyDevice()]) {
      const bench = new Bench({ devices: [device] });
      const driver = new ScriptedDriver(bench, { features: ring, queues: device.type === 'console' ? [0, 1] : [0] });
      driver.start();
      const index = device.type === 'console' ? 1 : 0;
      const queue = driver.queue(index);
      bench.memory.write(driver.buffer(), new TextEncoder().encode('hello'));
      driver.publish(
        queue,
        driver.addChain(queue, [{ address: driver.buffer(), length: 5, deviceWritable: device.type === 'entropy' }]),
      );
      const model = look(bench, { device: device.name, queue: index });
      assert.equal(
        queueOf(model).chains[0]?.request,
        device.type === 'console' ? 'send 5 bytes "hello"' : '5 bytes of entropy',
      );
    }
  });
});

it('a large table is sent around what is in sight, and all that is not free', () => {
  const states = `${'F'.repeat(1000)}AA${'F'.repeat(3094)}`;
  const rows = rowsToSend(states, { firstRow: 2000, rowCount: 40 });
  assert.ok(rows.includes(1000) && rows.includes(1001));
  assert.ok(rows.includes(2000) && rows.includes(2040));
  assert.ok(!rows.includes(0));
  assert.ok(rows.length < 400);
  assert.equal(rowsToSend('F'.repeat(32_768), {}).length <= 400, true);
  assert.equal(rowsToSend('F'.repeat(256), {}).length, 256);
});

it('looking changes nothing', () => {
  const { bench, driver } = blockBench();
  driver.start();
  readSector(driver);
  const before = bench.state();
  for (let times = 0; times < 3; times++) look(bench);
  assert.equal(bench.state(), before);
});

describe('a packed ring', () => {
  const packedBench = (queueSize: number): { bench: Bench; driver: PackedDriver } => {
    const bench = new Bench({
      devices: [blockDevice({ featuresOn: featureSet(feature.RING_PACKED), queueSize: 256 })],
    });
    const driver = new PackedDriver(bench, { features: featureSet(feature.EVENT_IDX), queueSize });
    driver.start();
    return { bench, driver };
  };
  const places = (model: InspectorModel): readonly (readonly [string, number])[] =>
    queueOf(model).positions.map(({ label, value }) => [label, value]);

  it('goes through the states of a request, with laps, flags and places', () => {
    const { bench, driver } = packedBench(8);
    for (let i = 0; i < 3; i++) readSector(driver, i);
    const queue = driver.queue();
    driver.addChain(queue, piecesOf(blockParts(driver, blockRequestType.IN, { sector: 5 })));
    const building = queueOf(look(bench));
    assert.equal(building.format, 'packed');
    assert.equal(building.states, 'FBBBFFFF');
    driver.publish(queue);
    const published = look(bench);
    assert.equal(queueOf(published).states, 'FAAAFFFF');
    assert.match(
      said(published),
      /^Driver published buffer id 3 in slot 1 of queue 0; next is slot 4 with wrap counter 0\./,
    );
    assert.deepEqual(places(published), [
      ['next to collect', 1],
      ['next used', 1],
      ['next to fetch', 1],
      ['next available', 4],
    ]);
    assert.deepEqual(
      queueOf(published)
        .descriptors.slice(0, 5)
        .map(({ packed }) => [packed?.lap, packed?.available, packed?.used, packed?.id]),
      [
        [2, 0, 1, 2],
        [2, 0, 1, 3],
        [2, 0, 1, 3],
        [2, 0, 1, 3],
        [1, 1, 0, 1],
      ],
    );
    driver.notifyIfWanted(queue);
    bench.run(3_000);
    assert.equal(queueOf(look(bench)).states, 'FIIIFFFF');
    bench.run(30_000);
    const used = queueOf(look(bench));
    assert.equal(used.states, 'FUUUFFFF');
    assert.deepEqual(used.packed?.collect, { wrap: 0, lap: 2 });
    assert.match(
      plainText(used.chains[0]?.waiting ?? []),
      /^Used, slot 1, OK\. Waits for the driver to look at its flags\./,
    );
    driver.waitUsed(queue);
    const collected = queueOf(look(bench));
    assert.equal(collected.states, 'FFFFFFFF');
    assert.deepEqual(
      collected.packed?.suppression.map(({ side, value }) => [side, value]),
      [
        ['driver', 'ENABLE'],
        ['device', 'DESC 4, wrap 0'],
      ],
    );
  });

  it('names the structure that a store breaks', () => {
    const { bench, driver } = packedBench(8);
    bench.store(driver.queue().used + 2, 2, 1);
    assert.deepEqual(
      bench.monitor.violations.map(({ rule }) => rule),
      ['packed.device-area-written'],
    );
    assert.equal(look(bench).violations[0]?.rule, 'packed.device-area-written');
  });

  it('of 256 entries sends what lives', () => {
    const { bench, driver } = packedBench(256);
    for (let i = 0; i < 100; i++) readSector(driver, i % 60);
    const model = queueOf(look(bench));
    assert.equal(model.states.length, 256);
    assert.deepEqual(model.packed?.available, { wrap: 0, lap: 2 });
    assert.equal(model.wires.length, 0);
  });
});
