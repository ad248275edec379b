// Twins for block, console and entropy requests, and for device models that misbehave. [virtio 1.4, 5.2.6, 5.3.6, 5.4.6]
import { blockFeature, blockRequestType } from '../../../../emulator/virtio/spec/block';
import { deviceId } from '../../../../emulator/virtio/spec/device-id';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../../emulator/virtio/spec/net';
import { type BenchOptions, blockDevice, consoleDevice, entropyDevice } from '../../../driver/bench';
import { type BlockParts, blockParts, piecesOf, writeSegments } from '../../../driver/block';
import type { DriverOptions, Piece, ScriptedDriver } from '../../../driver/driver';
import { TestModel } from '../../../driver/model';
import { introduce, request, storePc, type Twin } from './twin';

const { IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES } = blockRequestType;
const everything: DriverOptions = {
  features: featureSet(feature.VERSION_1, blockFeature.FLUSH, blockFeature.DISCARD, blockFeature.WRITE_ZEROES),
};

/** One request whose pieces depend on the twin; `blamed` is the descriptor whose length store is at fault. */
function block(
  rule: string,
  pieces: (d: ScriptedDriver, wrong: boolean) => readonly Piece[],
  more: { readonly blamed?: number; readonly driver?: DriverOptions; readonly bench?: () => BenchOptions } = {},
): Twin {
  return {
    rule,
    driver: more.driver ?? everything,
    ...(more.bench !== undefined && { bench: more.bench }),
    script: (d, wrong) => {
      d.start();
      const chain = pieces(d, wrong);
      const pc = more.blamed === undefined ? undefined : storePc(d.bench.nextPc, 'len', more.blamed);
      request(d, d.queue(), chain, wrong);
      return pc;
    },
  };
}

const flipped = ({ header, data, status }: BlockParts): readonly Piece[] => [
  header,
  ...data.map((piece) => ({ ...piece, deviceWritable: piece.deviceWritable !== true })),
  status,
];

/** A request with segments; all of them are of one sector. */
function segments(
  d: ScriptedDriver,
  type: number,
  count: number,
  { bytes = count * 16, flags = 0 }: { readonly bytes?: number; readonly flags?: number } = {},
): readonly Piece[] {
  const parts = blockParts(d, type, { bytes });
  writeSegments(
    d,
    parts,
    Array.from({ length: count }, (_, i) => ({ sector: i, sectors: 1, flags })),
  );
  return piecesOf(parts);
}

/** A buffer whose only descriptor goes the right or the wrong way. */
function direction(rule: string, bench: () => BenchOptions, queue: number, deviceWritable: boolean): Twin {
  return {
    rule,
    bench,
    driver: { queues: queue === 1 ? [0, 1] : [0] },
    script: (d, wrong) => {
      d.start();
      const pc = storePc(d.bench.nextPc, 'flags');
      const own = d.queue(queue);
      const head = d.addChain(own, [{ address: d.buffer(), length: 64, deviceWritable: deviceWritable !== wrong }]);
      d.publish(own, head);
      d.notifyIfWanted(own);
      return pc;
    },
  };
}

let model = new TestModel();

/** A device that says something wrong of the chain with head 0, which it holds. */
function falseUsed(rule: string, said: (wrong: boolean) => { readonly head: number; readonly length: number }): Twin {
  return {
    rule,
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, IN))));
      d.notify(queue);
      d.bench.run(2_000);
      const fact = { kind: 'used', by: 'device', device: 'vda', queue: 0, slot: 0, usedIndex: 1 } as const;
      d.bench.monitor.record({ ...fact, ...said(wrong) });
      return undefined;
    },
  };
}

export const deviceTwins: readonly Twin[] = [
  block(
    'block.header-short',
    (d, wrong) => {
      const parts = blockParts(d, IN);
      return piecesOf({ ...parts, header: { ...parts.header, length: wrong ? 8 : 16 } });
    },
    { blamed: 0 },
  ),
  block('block.no-status-byte', (d, wrong) => piecesOf(blockParts(d, OUT)).slice(0, wrong ? 2 : 3), { blamed: 1 }),
  block('block.data-direction', (d, wrong) => (wrong ? flipped : piecesOf)(blockParts(d, IN)), { blamed: 1 }),
  block('block.data-length', (d, wrong) => piecesOf(blockParts(d, IN, { bytes: wrong ? 500 : 512 })), { blamed: 1 }),
  block('block.beyond-capacity', (d, wrong) => piecesOf(blockParts(d, IN, { sector: wrong ? 64 : 63 }))),
  block('block.flush-sector', (d, wrong) => piecesOf(blockParts(d, FLUSH, { sector: wrong ? 1 : 0, bytes: 0 }))),
  block('block.flush-data', (d, wrong) => piecesOf(blockParts(d, FLUSH, { bytes: wrong ? 512 : 0 }))),
  block('block.segments-length', (d, wrong) => segments(d, DISCARD, 1, { bytes: wrong ? 24 : 16 }), { blamed: 1 }),
  block('block.id-length', (d, wrong) => piecesOf(blockParts(d, GET_ID, { bytes: wrong ? 16 : 20 })), { blamed: 1 }),
  block('block.discard-segments', (d, wrong) => segments(d, DISCARD, wrong ? 2 : 1)),
  block('block.write-zeroes-segments', (d, wrong) => segments(d, WRITE_ZEROES, wrong ? 2 : 1)),
  block('block.unmap-in-discard', (d, wrong) => segments(d, wrong ? DISCARD : WRITE_ZEROES, 1, { flags: 1 })),
  block(
    'block.request-not-negotiated',
    (d, wrong) => piecesOf(blockParts(d, wrong ? FLUSH : IN, { bytes: wrong ? 0 : 512 })),
    {
      driver: {},
    },
  ),
  block('block.write-to-read-only', (d, wrong) => piecesOf(blockParts(d, wrong ? OUT : IN)), {
    driver: { features: featureSet(feature.VERSION_1, blockFeature.RO) },
    bench: () => ({ devices: [blockDevice({ readOnly: true })] }),
  }),
  {
    rule: 'block.writeback-read-early',
    driver: { features: featureSet(feature.VERSION_1, blockFeature.FLUSH, blockFeature.CONFIG_WCE) },
    script: (d, wrong) => {
      introduce(d);
      d.negotiate();
      if (!wrong) d.confirmFeatures();
      const pc = d.bench.nextPc;
      d.config(32, 1);
      return pc;
    },
  },
  direction('console.receive-readable', () => ({ devices: [consoleDevice()] }), 0, true),
  direction('console.transmit-writable', () => ({ devices: [consoleDevice()] }), 1, false),
  direction('entropy.readable', () => ({ devices: [entropyDevice()] }), 0, true),
  {
    rule: 'device.fault',
    bench: () => {
      model = new TestModel();
      return { own: { model, offered: featureSet(feature.VERSION_1) } };
    },
    script: (d, wrong) => {
      d.start();
      if (wrong) model.failure = new Error('cannot go on');
      request(d, d.queue(), [{ address: d.buffer(), length: 64 }], wrong);
      d.bench.run(20_000);
      return undefined;
    },
  },
  falseUsed('device.used-not-held', (wrong) => ({ head: wrong ? 5 : 0, length: 513 })),
  falseUsed('device.used-too-long', (wrong) => ({ head: 0, length: wrong ? 514 : 513 })),
  {
    rule: 'device.offer-inconsistent',
    bench: (wrong) => ({
      own: {
        model: new TestModel({ deviceId: deviceId.net }),
        offered: featureSet(feature.VERSION_1, netFeature.GUEST_TSO4, ...(wrong ? [] : [netFeature.GUEST_CSUM])),
      },
    }),
    script: (d) => {
      d.start();
      return undefined;
    },
  },
];
