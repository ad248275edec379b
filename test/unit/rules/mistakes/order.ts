// Mistakes in the order of accesses: a fence left out, in both formats. [virtio 1.4, 2.7.13.3.1, 2.7.13.4.1, 2.7.14, 2.8.21]
import { availableOffset } from '../../../../emulator/virtio/spec/split-ring';
import { either, isSplit, type Mistake } from './mistake';
import type { Traffic } from '../../../driver/traffic';

const nothing = (): void => undefined;

/** One request, all of it. */
function request(t: Traffic): void {
  t.publish(t.add(t.pieces(1, 1), false));
  t.d.notifyIfWanted(t.queue);
  t.d.waitUsed(t.queue);
}

export const orderMistakes: readonly Mistake[] = [
  {
    name: 'no fence before the buffer is made available',
    rule: either('ordering.publish', 'ordering.packed-publish'),
    make: (t) => {
      t.d.orderStores = nothing;
      request(t);
    },
  },
  {
    name: 'no fence before the look at the device’s wish',
    rule: either('ordering.notification-check', 'ordering.packed-notification-check'),
    make: (t) => {
      t.d.orderCheck = nothing;
      request(t);
    },
  },
  {
    name: 'no fence before the doorbell',
    rule: () => 'ordering.doorbell',
    make: (t) => {
      t.d.orderDoorbell = nothing;
      t.publish(t.add(t.pieces(1, 1), false));
      t.d.notify(t.queue);
    },
  },
  {
    name: 'no fence behind the used index',
    applies: isSplit,
    rule: () => 'ordering.used-index',
    make: (t) => {
      t.d.orderUsed = nothing;
      request(t);
    },
  },
  {
    name: 'no fence between the wish for interrupts and the last look',
    applies: isSplit,
    rule: () => 'ordering.recheck',
    make: (t) => {
      const { queue, ring, bench, d } = t;
      request(t);
      if (ring.eventIdx) bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, queue.lastUsed);
      else {
        bench.store(queue.available + availableOffset.flags, 2, 1);
        bench.store(queue.available + availableOffset.flags, 2, 0);
      }
      d.hasUsed(queue);
      bench.idle();
    },
  },
  {
    name: 'a buffer changed behind the fence that publishes it',
    applies: isSplit,
    rule: () => 'ordering.publish-buffer',
    make: (t) => {
      const orderStores = t.d.orderStores.bind(t.d);
      const pieces = t.pieces(1, 1);
      t.d.orderStores = () => {
        orderStores();
        t.bench.store((pieces[0]?.address ?? 0) + 4, 4, 0);
      };
      t.publish(t.add(pieces, false));
      t.d.notifyIfWanted(t.queue);
      t.d.waitUsed(t.queue);
    },
  },
];
