// Bugs of notifications and interrupts. [virtio 1.4, 2.7.7, 2.7.10, 4.2.3.3, 4.2.3.4]
import { consoleDevice } from '../../driver/bench';
import { blockParts, piecesOf } from '../../driver/block';
import type { ScriptedDriver } from '../../driver/driver';
import type { Detection } from './detection';

function publishRead(d: ScriptedDriver, at = 0): void {
  const queue = d.queue();
  d.publish(queue, d.addChain(queue, piecesOf(blockParts(d, 0, { at }))));
}

export const signalDetections: readonly Detection[] = [
  {
    bug: 'VB-129',
    does: 'fills its receive queue and does not notify it after DRIVER_OK',
    rule: 'notify.missing',
    bench: () => ({ devices: [consoleDevice()] }),
    script: (d, wrong) => {
      d.start();
      const queue = d.queue();
      for (let i = 0; i < queue.size; i++) {
        d.publish(queue, d.addChain(queue, [{ address: d.buffer(i * 64), length: 64, deviceWritable: true }]));
      }
      if (!wrong) d.notify(queue);
      d.bench.idle();
      return undefined;
    },
  },
  {
    bug: 'VB-131',
    does: 'waits for the answer before it notifies',
    rule: 'notify.missing',
    script: (d, wrong) => {
      d.start();
      publishRead(d);
      const queue = d.queue();
      if (!wrong) d.notify(queue);
      for (let turn = 0; turn < 2_000 && !d.hasUsed(queue); turn++) d.bench.run(20);
      return undefined;
    },
  },
  {
    bug: 'VB-133',
    does: 'saves up notifications and sleeps with a full queue that was never announced',
    rule: 'notify.missing',
    script: (d, wrong) => {
      d.start();
      publishRead(d);
      publishRead(d, 0x1000);
      if (!wrong) d.notify(d.queue());
      d.bench.idle();
      return undefined;
    },
  },
  {
    bug: 'VB-144',
    does: 'handles the used ring in its interrupt and never writes InterruptACK',
    rule: 'interrupt.not-acknowledged',
    script: (d, wrong) => {
      d.start();
      publishRead(d);
      d.notify(d.queue());
      d.bench.run(20_000);
      for (let turn = 0; turn < 2; turn++) {
        const source = d.bench.claim();
        if (source === 0) break;
        const bits = d.readInterruptStatus();
        if (d.hasUsed(d.queue())) d.collect(d.queue());
        if (!wrong) d.acknowledgeInterrupt(bits);
        d.bench.complete(source);
      }
      d.bench.idle();
      return undefined;
    },
  },
];
