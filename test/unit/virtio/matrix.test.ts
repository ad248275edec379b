// The matrix: each device type over each transport, in each ring format, with each set of ring features. The scripted driver's bytes come
// through whole, every rule on, the order of its accesses judged too, and no violation. What the specification forbids is refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DeviceConfiguration } from '../../../emulator/configuration';
import { blockFeature, blockRequestType } from '../../../emulator/virtio/spec/block';
import { consoleQueue } from '../../../emulator/virtio/spec/console';
import { bitsOf, feature, featureName, featureSet, hasFeature } from '../../../emulator/virtio/spec/feature';
import { netFeature, receiveQueue, transmitQueue } from '../../../emulator/virtio/spec/net';
import { netHeaderBytes } from '../../../emulator/virtio/spec/net-header';
import { Bench, blockDevice, consoleDevice, entropyDevice, netAddress, netDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import { type Combination, driverOf, forbidden, offerOf, reaches, reachName } from '../../driver/combination';
import type { DriverQueue, Piece, ScriptedDriver } from '../../driver/driver';
import { pattern, udp } from '../../driver/frames';

const { INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA, NOTIF_CONFIG_DATA, RING_RESET } = feature;
const { ACCESS_PLATFORM, ORDER_PLATFORM } = feature;

const featureSets: readonly (readonly number[])[] = [
  [],
  [INDIRECT_DESC],
  [EVENT_IDX],
  [INDIRECT_DESC, EVENT_IDX],
  [IN_ORDER],
  [IN_ORDER, INDIRECT_DESC, EVENT_IDX],
  [NOTIFICATION_DATA],
  [NOTIFICATION_DATA, EVENT_IDX, IN_ORDER],
  [NOTIF_CONFIG_DATA],
  [NOTIF_CONFIG_DATA, NOTIFICATION_DATA],
  [RING_RESET],
  [RING_RESET, INDIRECT_DESC, EVENT_IDX, IN_ORDER],
  [ACCESS_PLATFORM, ORDER_PLATFORM],
  [INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA, RING_RESET, ACCESS_PLATFORM, ORDER_PLATFORM],
];

const queueSize = 8;

/** A running driver, and what it may do. */
interface Run {
  readonly bench: Bench;
  readonly d: ScriptedDriver;
  readonly combination: Combination;
  /** Whether time goes ahead and back while requests are under way. */
  readonly travels: boolean;
}

interface Row {
  readonly name: string;
  readonly make: (changes: Parameters<typeof blockDevice>[0]) => DeviceConfiguration;
  readonly queues: readonly number[];
  /** Device-specific bits that the driver accepts. */
  readonly accepts: bigint;
  /** One round of requests with its bytes verified. Rounds follow each other on the same queues. */
  readonly round: (run: Run, round: number) => void;
}

/** Sends a chain off without waiting: indirect in every other round, where that was negotiated. */
function give({ d, combination }: Run, queue: DriverQueue, pieces: readonly Piece[], turn: number): void {
  const useTable = combination.features.includes(INDIRECT_DESC) && turn % 2 === 0;
  const head = useTable ? d.addIndirectChain(queue, pieces, d.table((turn % 8) * 0x100)) : d.addChain(queue, pieces);
  d.publish(queue, head);
}
/** Notifies, serves the interrupt and takes back as many buffers. */
function takeAll({ d, bench, travels }: Run, queue: DriverQueue, buffers: number): void {
  d.notifyIfWanted(queue);
  // Before the fetch, and between fetch and completion.
  for (let time = 0; travels && time < 2; time++) {
    bench.goAheadAndBack();
    bench.run(2000);
  }
  const target = d.outstanding(queue) - buffers;
  while (d.outstanding(queue) > target) {
    d.waitUsed(queue);
    d.serveInterrupt();
  }
}

const bytesAt = (bench: Bench, address: number, length: number): number[] => [...bench.memory.read(address, length)];

/** Sectors are read two at a time, written in two pieces and read back. */
function useDisk(run: Run, round: number): void {
  const { d, bench } = run;
  const queue = d.queue();
  const [first, second] = [0, 0x1000].map((at, i) =>
    blockParts(d, blockRequestType.IN, { sector: 40 + round + i, at }),
  );
  assert.ok(first && second);
  give(run, queue, piecesOf(first), 0);
  give(run, queue, piecesOf(second), 1);
  takeAll(run, queue, 2);
  for (const [i, { data, status }] of [first, second].entries()) {
    const wanted = Array.from({ length: 512 }, () => 40 + round + i);
    assert.deepEqual(bytesAt(bench, data[0]?.address ?? 0, 512), wanted);
    assert.deepEqual(bytesAt(bench, status.address, 1), [0]);
  }
  const content = pattern(512 + round).subarray(round);
  const written = blockParts(d, blockRequestType.OUT, { sector: round, at: 0x2000 });
  const at = written.data[0]?.address ?? 0;
  for (let i = 0; i < content.length; i += 8) bench.store(at + i, 8, wordAt(content, i));
  const halves = [
    { address: at, length: 100 },
    { address: at + 100, length: 412 },
  ];
  give(run, queue, [written.header, ...halves, written.status], round);
  takeAll(run, queue, 1);
  const again = blockParts(d, blockRequestType.IN, { sector: round, at: 0x3000 });
  give(run, queue, piecesOf(again), round + 1);
  takeAll(run, queue, 1);
  assert.deepEqual(bytesAt(bench, again.data[0]?.address ?? 0, 512), [...content]);
}
const wordAt = (bytes: Uint8Array, at: number): bigint =>
  Array.from(bytes.subarray(at, at + 8)).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

const near = {
  to: [0x52, 0x55, 10, 0, 2, 2],
  from: [...netAddress],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};
const far = { to: near.from, from: near.to, source: near.destination, destination: near.source };
const roomBytes = 1600;

/** A frame leaves in two pieces; two come in, of which the second finds its buffer only later. */
function useNetwork(run: Run, round: number): void {
  const { d, bench } = run;
  const headerBytes = netHeaderBytes(d.accepted);
  const [receive, transmit] = [d.queue(receiveQueue(0)), d.queue(transmitQueue(0))];
  const room = (i: number): Piece => ({
    address: d.buffer(0x4000 + i * 0x800),
    length: roomBytes,
    deviceWritable: true,
  });
  give(run, receive, [room(0)], round);
  d.notifyIfWanted(receive);
  const frame = udp(near, 1000 + round, 7, pattern(200 + round));
  const at = d.buffer(0x2000);
  bench.memory.write(at, new Uint8Array(headerBytes));
  bench.memory.write(at + headerBytes, frame);
  const before = bench.outputs.length;
  const cut = [
    { address: at, length: headerBytes },
    { address: at + headerBytes, length: frame.length },
  ];
  give(run, transmit, cut, round + 1);
  takeAll(run, transmit, 1);
  const sent = bench.outputs.slice(before).filter(({ channel }) => channel === 'net0.sent');
  assert.deepEqual(
    sent.map(({ bytes }) => [...bytes]),
    [[...frame]],
  );

  for (const i of [0, 1]) {
    const answer = udp(far, 7, 1000 + round, pattern(300 + 100 * i + round));
    bench.input('net0', answer);
    if (i === 1) give(run, receive, [room(1)], round + 1);
    takeAll(run, receive, 1);
    assert.equal(d.usedLength, headerBytes + answer.length);
    assert.deepEqual(bytesAt(bench, room(i).address + headerBytes, answer.length), [...answer]);
  }
}

/** What is typed comes in, and what the guest says goes out. */
function useConsole(run: Run, round: number): void {
  const { d, bench } = run;
  const [receive, transmit] = [d.queue(consoleQueue.receive), d.queue(consoleQueue.transmit)];
  const typed = pattern(20 + round);
  give(run, receive, [{ address: d.buffer(0x100), length: 64, deviceWritable: true }], round);
  d.notifyIfWanted(receive);
  bench.input('console0', typed);
  takeAll(run, receive, 1);
  assert.equal(d.usedLength, typed.length);
  assert.deepEqual(bytesAt(bench, d.buffer(0x100), typed.length), [...typed]);
  const said = pattern(50 + round);
  bench.memory.write(d.buffer(0x200), said);
  const before = bench.outputs.length;
  give(
    run,
    transmit,
    [
      { address: d.buffer(0x200), length: 7 },
      { address: d.buffer(0x207), length: said.length - 7 },
    ],
    round + 1,
  );
  takeAll(run, transmit, 1);
  assert.deepEqual(
    bench.outputs.slice(before).flatMap(({ bytes }) => [...bytes]),
    [...said],
  );
}

/** Random bytes fill the buffer as far as `len` says, and no further; no two buffers get the same. */
function useEntropy(run: Run, round: number): void {
  const { d, bench } = run;
  const queue = d.queue();
  const seen = [0, 1].map((i) => {
    const at = d.buffer(0x100 * (i + 1));
    bench.memory.write(at, new Uint8Array(40));
    give(run, queue, [{ address: at, length: 32, deviceWritable: true }], round + i);
    takeAll(run, queue, 1);
    assert.equal(d.usedLength, 32);
    const bytes = bytesAt(bench, at, 40);
    assert.deepEqual(
      bytes.slice(32),
      Array.from({ length: 8 }, () => 0),
    );
    return bytes.join();
  });
  assert.notEqual(seen[0], seen[1]);
}

const rows: readonly Row[] = [
  { name: 'block', make: blockDevice, queues: [0], accepts: featureSet(blockFeature.FLUSH), round: useDisk },
  {
    name: 'net',
    make: netDevice,
    queues: [receiveQueue(0), transmitQueue(0)],
    accepts: featureSet(netFeature.MAC, netFeature.MTU, netFeature.STATUS),
    round: useNetwork,
  },
  {
    name: 'console',
    make: consoleDevice,
    queues: [consoleQueue.receive, consoleQueue.transmit],
    accepts: 0n,
    round: useConsole,
  },
  { name: 'entropy', make: entropyDevice, queues: [0], accepts: 0n, round: useEntropy },
];

/** Enough for several laps of a queue of eight. */
const rounds = 6;

function run(row: Row, combination: Combination, travels = false): void {
  const device = row.make({ ...offerOf(combination), queueSize });
  const rules = { must: 'report', should: 'report', hazard: 'report' };
  const bench = new Bench({ devices: [device], rules, order: true, eventCapacity: 20_000 });
  const d = driverOf(bench, combination, row.accepts, { queues: row.queues, queueSize });
  d.start();
  for (const bit of combination.features) assert.ok(hasFeature(d.accepted, bit), `bit ${bit} was accepted`);
  if (row.name === 'net') for (let i = 0; i < 6; i++) assert.equal(d.config(i, 1), netAddress[i]);
  for (let round = 0; round < rounds; round++) {
    if (round === 3 && combination.features.includes(RING_RESET)) {
      for (const queue of row.queues) {
        d.selectQueue(queue);
        d.resetQueue();
        d.setUpQueue(queue);
      }
    }
    row.round({ bench, d, combination, travels }, round);
  }
  while (d.serveInterrupt());
  bench.idle();
  assert.deepEqual(
    bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
  const faults = bench.monitor.events.slice().filter(({ kind }) => kind === 'device-fault');
  assert.deepEqual(faults, []);
}

const setName = (bits: readonly number[]): string =>
  bits.length === 0 ? 'no ring feature' : bits.map((bit) => featureName(0, bit).replace(/^VIRTIO_F_/, '')).join(', ');

for (const row of rows) {
  for (const reach of reaches) {
    describe(`${row.name} over ${reachName(reach)}`, () => {
      for (const ring of ['split', 'packed'] as const) {
        for (const features of featureSets) {
          const combination = { reach, ring, features };
          const refusal = forbidden(combination);
          test(`${ring}, ${setName(features)}${refusal === undefined ? '' : `: refused by the ${refusal}`}`, () => {
            if (refusal === undefined) run(row, combination);
            else if (refusal === 'device') {
              assert.throws(
                () => new Bench({ devices: [row.make(offerOf(combination))] }),
                /cannot be offered|is only for/,
              );
            } else {
              const bench = new Bench({ devices: [row.make({ ...offerOf(combination), queueSize })] });
              const d = driverOf(bench, combination, row.accepts, { queues: row.queues, queueSize });
              d.start();
              // Its interface shows the first 32 bits, so nothing above them can be accepted.
              assert.deepEqual(
                bitsOf(d.accepted).filter((bit) => bit >= 32),
                [],
              );
              assert.deepEqual(
                bench.monitor.violations.map(({ rule }) => rule),
                [],
              );
            }
          });
        }
      }
    });
  }
}

describe('requests under way when time goes ahead and back', () => {
  for (const row of rows) {
    for (const reach of reaches.filter(({ legacy }) => !legacy)) {
      for (const ring of ['split', 'packed'] as const) {
        for (const features of [[], [INDIRECT_DESC, EVENT_IDX], [IN_ORDER, INDIRECT_DESC, EVENT_IDX]]) {
          test(`${row.name} over ${reachName(reach)}, ${ring}, ${setName(features)}`, () =>
            run(row, { reach, ring, features }, true));
        }
      }
    }
  }
});
