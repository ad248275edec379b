// Bugs of ring memory: indices without a modulo, rings where the device does not look for them, pages that get a second use, submissions
// that interrupt each other. [virtio 1.4, 2.7, 3.3.1]
import { blockRequestType } from '../../../emulator/virtio/spec/block';
import { availableOffset } from '../../../emulator/virtio/spec/split-ring';
import { blockDevice, consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../driver/block';
import type { DriverQueue, ScriptedDriver } from '../../driver/driver';
import { LegacyMmioDriver } from '../../driver/legacy-driver';
import type { Detection } from './detection';

const legacyBlock = () => ({ devices: [blockDevice({ transport: 'mmio-legacy' as const })] });

function addRead(d: ScriptedDriver, queue: DriverQueue, at = 0): number {
  return d.addChain(queue, piecesOf(blockParts(d, 0, { at })));
}

/** Memory of a queue gets a second use; the corrected driver resets the device before. */
function reused(
  bug: string,
  does: string,
  rule: string,
  misuse: (d: ScriptedDriver, queue: DriverQueue) => void,
): Detection {
  return {
    bug,
    does,
    rule,
    script: (d, wrong) => {
      d.start();
      readSector(d);
      d.serveInterrupt();
      const queue = d.queue();
      if (!wrong) d.reset();
      misuse(d, queue);
      return undefined;
    },
  };
}

export const memoryDetections: readonly Detection[] = [
  {
    bug: 'VB-044',
    does: 'puts its available ring one page behind the descriptors, where a legacy device has the used ring',
    rule: 'split.used-ring-written',
    bench: legacyBlock,
    script: (_, wrong, bench) => {
      const d = new LegacyMmioDriver(bench, { queueSize: 64 });
      d.probe();
      d.writePageSize();
      d.reset();
      d.acknowledge();
      d.driver();
      d.negotiate();
      const place = d.placeQueue(0);
      const own = { available: place.descriptors + 4096, used: place.descriptors + 8192 };
      const queue = d.setUpQueue(0, wrong ? own : {});
      d.driverOk();
      d.publish(queue, addRead(d, queue));
      return undefined;
    },
  },
  {
    bug: 'VB-075',
    does: 'stores the available index where the head belongs',
    rule: 'ownership.descriptor-published-twice',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      d.publish(queue, addRead(d, queue));
      const head = addRead(d, queue, 0x1000);
      d.publish(queue, wrong ? queue.availableIndex : head);
      return undefined;
    },
  },
  {
    bug: 'VB-079',
    does: 'compares indices modulo the queue size, so that a whole ring of new buffers looks like none, and does not notify',
    rule: 'notify.missing',
    bench: () => ({ devices: [consoleDevice()] }),
    driver: { queueSize: 4 },
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const fill = (): void => {
        for (let i = 0; i < queue.size; i++) {
          d.publish(queue, d.addChain(queue, [{ address: d.buffer(i * 64), length: 1, deviceWritable: true }]));
        }
      };
      fill();
      d.notify(queue);
      d.bench.run(20_000);
      d.bench.input('console0', Uint8Array.of(1, 2, 3, 4));
      d.bench.run(20_000);
      d.serveInterrupt();
      while (d.hasUsed(queue)) d.collect(queue);
      fill();
      const fresh = (queue.availableIndex - queue.notifiedIndex) & (wrong ? queue.size - 1 : 0xffff);
      if (fresh !== 0) d.notify(queue);
      d.bench.idle();
      return undefined;
    },
  },
  reused('VB-113', 'frees the memory of a queue that is still enabled', 'split.used-ring-written', (d, { used }) => {
    for (let at = used; at < used + 16; at += 8) d.bench.store(at, 8, 0x0123_4567_89ab_cdefn);
  }),
  reused(
    'VB-115',
    'starts the next stage, which loads its code over the rings of a device that still runs',
    'split.available-index-jump',
    (d, { available }) => {
      d.bench.store(available, 4, 0x0017_0000);
    },
  ),
  {
    bug: 'VB-199',
    does: 'is interrupted between choosing a slot and filling it, by a handler that submits too',
    rule: 'ownership.slot-changed',
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = addRead(d, queue);
      const slot = queue.availableIndex;
      if (wrong) d.publish(queue, addRead(d, queue, 0x1000));
      d.bench.store(queue.available + availableOffset.ring(slot), 2, head);
      return undefined;
    },
  },
  {
    bug: 'VB-109',
    does: 'keeps the request header in a stack frame that it leaves, and calls something else before the device has read it',
    rule: 'ownership.dead-stack-frame',
    bench: () => ({ devices: [blockDevice()], order: true }),
    script: (d, wrong, bench) => {
      d.start();
      const queue = d.queue();
      const parts = blockParts(d, blockRequestType.IN);
      const callee = (): void => bench.store(parts.header.address + 4, 4, 0x8000_1234);
      bench.stackPointer = BigInt(parts.header.address - 0x40);
      d.publish(queue, d.addChain(queue, piecesOf(parts)));
      d.notifyIfWanted(queue);
      bench.stackPointer = BigInt(parts.header.address + 0x40);
      if (wrong) callee();
      d.waitUsed(queue);
      if (!wrong) callee();
      return undefined;
    },
  },
];
