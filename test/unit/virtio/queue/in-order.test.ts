// Devices that use buffers in order: the order holds whatever the latency, one used entry may stand for a batch, and both formats count
// the batch as the driver will. [virtio 1.4, 2.7.9, 2.8.8]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VirtioEvent } from '../../../../emulator/record/events';
import type { DeviceBuffer, DeviceContext } from '../../../../emulator/virtio/device/interface';
import { feature, featureSet } from '../../../../emulator/virtio/spec/feature';
import { Bench, blockDevice } from '../../../driver/bench';
import { blockParts, piecesOf } from '../../../driver/block';
import { ScriptedDriver } from '../../../driver/driver';
import { TestModel } from '../../../driver/model';
import { PackedDriver } from '../../../driver/packed-driver';

const inOrder = featureSet(feature.IN_ORDER);
const packed = featureSet(feature.RING_PACKED);
const features = featureSet(feature.VERSION_1, feature.IN_ORDER);
type Used = Extract<VirtioEvent, { kind: 'used' }>;

function usedEvents(d: ScriptedDriver): readonly Used[] {
  return [...d.bench.monitor.events.slice()].filter((event): event is Used => event.kind === 'used');
}

function assertSilent(d: ScriptedDriver): void {
  assert.deepEqual(
    d.bench.monitor.violations.map(({ rule, message }) => `${rule}: ${message}`),
    [],
  );
}

/** Finishes the second of two buffers long before the first. */
class BackwardModel extends TestModel {
  private buffers: DeviceBuffer[] = [];
  private own: DeviceContext | undefined;
  override activate(context: DeviceContext): void {
    this.own = context;
    super.activate(context);
  }
  protected override take(queue: number): void {
    for (let buffer = this.nextBuffer(queue); buffer !== undefined; buffer = this.nextBuffer(queue)) {
      this.buffers.push(buffer);
      if (this.buffers.length % 2 === 0) {
        this.giveBack(buffer);
        this.own?.schedule(50_000, this.buffers.length - 2);
      }
    }
  }
  handleTimer(token: number): void {
    const buffer = this.buffers[token];
    if (buffer !== undefined) this.giveBack(buffer);
  }
}

for (const [name, offered, make] of [
  ['split', inOrder, (bench: Bench) => new ScriptedDriver(bench, { features, queueSize: 16 })],
  ['packed', inOrder | packed, (bench: Bench) => new PackedDriver(bench, { features, queueSize: 16 })],
] as const) {
  describe(`${name} rings in order`, () => {
    it('give several buffers that are done together back with one entry', () => {
      const d = make(new Bench({ devices: [blockDevice({ featuresOn: offered })] }));
      d.start();
      const queue = d.queue();
      const collected: number[] = [];
      for (let lap = 0; lap < 20; lap++) {
        const heads = [0, 0x1000, 0x2000].map((at) => {
          const head = d.addChain(queue, piecesOf(blockParts(d, 0, { at, sector: lap })));
          d.publish(queue, head);
          return head;
        });
        d.notifyIfWanted(queue);
        for (let last = -1; last !== heads.at(-1);) {
          last = d.waitUsed(queue);
          collected.push(last);
        }
        assert.deepEqual([...d.bench.memory.read(d.buffer(0x2100), 512)], Array(512).fill(lap));
        d.serveInterrupt();
      }
      const used = usedEvents(d);
      assert.equal(used.length, collected.length);
      assert.equal(
        used.reduce((sum, { batch = 1 }) => sum + batch, 0),
        60,
      );
      assert.ok(used.some(({ batch }) => batch !== undefined && batch > 1));
      d.bench.idle();
      assertSilent(d);
    });

    it('hold back a buffer that is done before an older one', () => {
      const model = new BackwardModel();
      const d = make(new Bench({ own: { model, offered: offered | featureSet(feature.VERSION_1) } }));
      d.start();
      const queue = d.queue();
      const heads = [0, 64].map((at) => {
        const head = d.addChain(queue, [{ address: d.buffer(at), length: 64 }]);
        d.publish(queue, head);
        return head;
      });
      d.notify(queue);
      d.bench.run(40_000);
      assert.deepEqual(usedEvents(d), [], 'the second is done, the first is not');
      d.bench.run(60_000);
      const used = usedEvents(d);
      assert.equal(used.at(-1)?.head, heads[1]);
      assert.equal(
        used.reduce((sum, { batch = 1 }) => sum + batch, 0),
        2,
      );
      assert.equal(d.waitUsed(queue), used[0]?.head);
    });
  });
}
