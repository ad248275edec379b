// Twins for notifications and interrupts. [virtio 1.4, 2.7.10.1, 4.2.3.3, 4.2.3.4]
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { consoleDevice } from '../../../driver/bench';
import { blockParts, piecesOf, readSector } from '../../../driver/block';
import type { ScriptedDriver } from '../../../driver/driver';
import { at, type Twin } from './twin';

const withEventIdx = { features: featureSet(feature.VERSION_1, feature.EVENT_IDX) };

/** Publishes a read, and notifies unless wrong; then there is nothing left to do. */
function missing(rule: string, driver?: Twin['driver']): Twin {
  return {
    rule,
    ...(driver !== undefined && { driver }),
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const head = d.addChain(queue, piecesOf(blockParts(d, 0)));
      d.storeSlot(queue, head);
      queue.availableIndex = 1;
      const pc = at(d, () => d.storeIndex(queue, 1));
      if (!wrong) {
        d.notifyIfWanted(queue);
        d.waitUsed(queue);
      }
      d.bench.idle();
      return pc;
    },
  };
}

/** A second publish while the device is looking by itself. */
function unwanted(rule: string, driver?: Twin['driver']): Twin {
  return {
    rule,
    ...(driver !== undefined && { driver }),
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      const first = d.addChain(queue, piecesOf(blockParts(d, 0)));
      const second = d.addChain(queue, piecesOf(blockParts(d, 0, { at: 0x1000 })));
      d.publish(queue, first);
      d.notifyIfWanted(queue);
      d.bench.run(1_200);
      d.publish(queue, second);
      const wanted = d.isNotificationWanted(queue);
      const pc = d.bench.nextPc;
      if (wanted || wrong) d.notify(queue);
      d.waitUsed(queue);
      d.waitUsed(queue);
      return pc;
    },
  };
}

/** A completed read whose interrupt is pending. */
function interrupted(d: ScriptedDriver): void {
  d.start();
  readSector(d);
  d.bench.run(100);
}

export const signalTwins: readonly Twin[] = [
  missing('notify.missing'),
  missing('notify.missing-at-event', withEventIdx),
  unwanted('notify.suppressed'),
  unwanted('notify.event-not-reached', withEventIdx),
  {
    rule: 'notify.unknown-queue',
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.write('QueueNotify', wrong ? 1 : 0));
    },
  },
  {
    rule: 'notify.queue-not-ready',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      d.start();
      return at(d, () => d.write('QueueNotify', wrong ? 1 : 0));
    },
  },
  {
    rule: 'interrupt.undefined-bits-acknowledged',
    script: (d, wrong) => {
      interrupted(d);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      const pc = at(d, () => d.acknowledgeInterrupt(wrong ? bits | 4 : bits));
      d.bench.complete(source);
      return pc;
    },
  },
  {
    rule: 'interrupt.status-not-read',
    script: (d, wrong) => {
      interrupted(d);
      const source = d.bench.claim();
      if (!wrong) d.readInterruptStatus();
      const pc = at(d, () => d.acknowledgeInterrupt(1));
      d.bench.complete(source);
      return pc;
    },
  },
  {
    rule: 'interrupt.ignored',
    script: (d, wrong) => {
      interrupted(d);
      const pc = d.bench.nextPc;
      if (wrong) d.bench.complete(d.bench.claim());
      else d.serveInterrupt();
      d.bench.idle();
      return pc;
    },
  },
  {
    rule: 'interrupt.not-acknowledged',
    script: (d, wrong) => {
      interrupted(d);
      const source = d.bench.claim();
      const pc = d.bench.nextPc;
      const bits = d.readInterruptStatus();
      if (!wrong) d.acknowledgeInterrupt(bits);
      d.bench.complete(source);
      d.bench.idle();
      return pc;
    },
  },
  {
    rule: 'interrupt.acknowledged-unseen',
    script: (d, wrong) => {
      interrupted(d);
      const source = d.bench.claim();
      const bits = d.readInterruptStatus();
      const pc = at(d, () => d.acknowledgeInterrupt(wrong ? 3 : bits));
      d.bench.complete(source);
      return pc;
    },
  },
];
