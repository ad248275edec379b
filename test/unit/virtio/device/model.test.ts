// A device model as somebody else would write it, against the public interface: when it is called, what it may do, and what happens
// when it is wrong. Titles carry the ids of crosvm's device trait. [virtio 1.4, 2; design: virtio]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MmioRegion, SavedState } from '../../../../emulator/bus/access';
import type { VirtioFact } from '../../../../emulator/record/events';
import { VirtioCore } from '../../../../emulator/virtio/core';
import type {
  ConfigField,
  DeviceBuffer,
  DeviceContext,
  VirtioDevice,
} from '../../../../emulator/virtio/device/interface';
import { RingWatch } from '../../../../emulator/virtio/queue/ring-watch';
import { MmioTransport } from '../../../../emulator/virtio/transport/mmio';
import { featureSet } from '../../../../emulator/virtio/spec/feature';
import { placesAt, ramBase, register, VirtioBench } from '../bench';

/** Upper-cases what it is given: takes every buffer it can get in one loop and answers later, by a timer. */
class Shouter implements VirtioDevice {
  readonly deviceId = 42;
  readonly typeName = 'shouter';
  readonly queueMaximumSizes = [8, 4] as const;
  readonly queueNames = ['requests', 'spare'] as const;
  readonly features = featureSet(3);
  readonly configFields: readonly ConfigField[] = [
    { name: 'volume', offset: 0, size: 4, writable: true, meaning: 'how loud' },
  ];
  readonly calls: string[] = [];
  onNotified: ((context: DeviceContext) => void) | undefined;
  private context: DeviceContext | undefined;
  private volume = 11;

  negotiated(features: bigint): void {
    this.calls.push(`negotiated ${features.toString(16)}`);
  }
  activate(context: DeviceContext): void {
    this.calls.push('activate');
    this.context = context;
  }
  queueNotified(queue: number): void {
    const { context } = this;
    if (context === undefined) return;
    if (this.onNotified !== undefined) {
      this.onNotified(context);
      return;
    }
    while (context.next(queue) !== undefined) context.schedule(3_000, queue);
  }
  handleTimer(queue: number): void {
    const [oldest] = this.context?.held(queue) ?? [];
    if (oldest !== undefined) this.answer(oldest);
  }
  readConfig(offset: number, length: number): Uint8Array {
    return Uint8Array.of(this.volume, 0, 0, 0).slice(offset, offset + length);
  }
  writeConfig(offset: number, bytes: Uint8Array): void {
    this.calls.push(`writeConfig ${offset} ${bytes.join(' ')}`);
    this.volume = bytes[0] ?? 0;
  }
  louder(): void {
    this.volume++;
    this.context?.configChanged();
  }
  reset(): void {
    this.calls.push('reset');
    this.context = undefined;
    this.volume = 11;
  }
  save(): SavedState {
    return { volume: this.volume };
  }
  restore(state: SavedState): void {
    if ('volume' in state && typeof state.volume === 'number') this.volume = state.volume;
  }
  private answer(buffer: DeviceBuffer): void {
    const text = String.fromCharCode(...buffer.read(0, buffer.readableLength)).toUpperCase();
    const written = buffer.write(
      0,
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
    );
    this.context?.complete(buffer, written);
  }
}

/** The bench with the model in slot 7 instead of a configured device. */
class ModelBench extends VirtioBench {
  readonly model = new Shouter();
  readonly core: VirtioCore;
  readonly transport: MmioTransport;
  readonly watch: RingWatch;
  constructor() {
    super([]);
    const sink = {
      attempt: () => 'proceed' as const,
      record: (fact: VirtioFact) => this.note(fact),
    };
    this.watch = new RingWatch(this.memory, sink, () => undefined);
    this.core = new VirtioCore({
      interface: 'modern',
      dialect: '1.x',
      name: 'shouter0',
      device: this.model,
      offeredFeatures: this.model.features | featureSet(32, 28, 29),
      memory: this.memory,
      clock: this.clock,
      sink,
      ringWatch: this.watch,
      fetchNanoseconds: 1_000,
      completeNanoseconds: 10_000,
      onDriverError: 'qemu',
      seed: 1,
      output: (channel, bytes) => void this.output.push({ channel, bytes }),
      interruptChanged: () => this.transport.interruptChanged(),
    });
    const interrupt = { source: 8, set: (level: boolean) => void this.lines.set(8, level) };
    this.transport = new MmioTransport('shouter0', 0x1000_8000, this.core, interrupt, sink);
  }
  override region(): MmioRegion {
    return this.transport;
  }
}

const places = placesAt(ramBase, 8);
const text = ramBase + 0x8000;
const answer = ramBase + 0x9000;

function request(b: ModelBench, head: number, words: string): void {
  b.memory.write(
    text + 64 * head,
    Uint8Array.from(words, (c) => c.charCodeAt(0)),
  );
  b.chain(places.descriptor, head, [
    { address: text + 64 * head, length: words.length },
    { address: answer + 64 * head, length: 32, writable: true },
  ]);
}

function answered(b: ModelBench, slot: number): string {
  const { id, len } = b.usedElement(places, slot);
  return String.fromCharCode(...b.memory.read(answer + 64 * id, len));
}

describe('a device model behind the interface', () => {
  it('gives queue maximum sizes and features (crosvm.trait.queue_max_sizes, crosvm.trait.features)', () => {
    const b = new ModelBench();
    const sizes = [0, 1, 2].map((queue) => {
      b.write(register.QueueSel, queue);
      return b.read(register.QueueSizeMax);
    });
    assert.deepEqual(sizes, [8, 4, 0]);
    assert.equal(b.read(register.DeviceFeatures), 0x3000_0008);
    assert.equal(b.read(register.DeviceID), 42);
  });

  it('hears of accepted features, activation and reset in that order (crosvm.trait.ack_features, crosvm.trait.activate, crosvm.trait.reset)', () => {
    const b = new ModelBench();
    b.start([places], [3]);
    b.write(register.Status, 0);
    assert.deepEqual(b.model.calls, ['reset', 'negotiated 100000008', 'activate', 'reset']);
  });

  it('serves its configuration space (crosvm.trait.read_config, crosvm.trait.write_config)', () => {
    const b = new ModelBench();
    assert.equal(b.read(register.Config), 11);
    b.write(register.Config, 7);
    assert.equal(b.read(register.Config, 1), 7);
    assert.deepEqual(b.model.calls, ['writeConfig 0 7 0 0 0']);
  });

  it('has three ways to the machine: window, notification by value, interrupt wire (crosvm.install)', () => {
    const b = new ModelBench();
    b.start([places, placesAt(ramBase + 0x4000, 4)]);
    const asked: number[] = [];
    b.model.onNotified = (context) => {
      for (const queue of [0, 1]) if (context.next(queue) !== undefined) asked.push(queue);
    };
    request(b, 0, 'x');
    b.publish(places, 0);
    b.notify(1);
    b.advance(0);
    assert.deepEqual(asked, [], 'not inside the notification');
    b.advance(5_000);
    assert.deepEqual(asked, [0]);
    assert.equal(b.region().base, 0x1000_8000);
  });

  it('may take all buffers in one loop, hold them and answer later', () => {
    const b = new ModelBench();
    b.start([places], [29]);
    request(b, 0, 'hello');
    request(b, 2, 'ringside');
    b.publish(places, 0, 2);
    b.notify(0);
    b.advance(2_000);
    assert.equal(b.core.inspectQueues()[0]?.inFlight.length, 2);
    b.advance(30_000);
    assert.deepEqual([answered(b, 0), answered(b, 1)], ['HELLO', 'RINGSIDE']);
    assert.equal(b.lines.get(8), true);
  });

  it('finds the buffers it held again after a restore', () => {
    const b = new ModelBench();
    b.start([places]);
    request(b, 0, 'once more');
    b.publish(places, 0);
    b.notify(0);
    b.advance(2_500);
    const saved = structuredClone({
      core: b.core.save(),
      clock: b.clock.save(),
      watch: b.watch.save(),
      transport: b.transport.save(),
    });
    const other = new ModelBench();
    other.memory.write(ramBase, b.memory.read(ramBase, 0x10000));
    other.step = b.step;
    other.core.restore(saved.core);
    other.watch.restore(saved.watch);
    other.transport.restore(saved.transport);
    other.clock.restore(saved.clock);
    assert.equal(other.core.inspectQueues()[0]?.inFlight[0]?.state, 'processing');
    other.advance(30_000);
    assert.equal(answered(other, 0), 'ONCE MORE');
  });

  it('changes its configuration: new generation, then an interrupt', () => {
    const b = new ModelBench();
    b.start([places]);
    const before = b.read(register.ConfigGeneration);
    b.model.louder();
    assert.equal(b.read(register.InterruptStatus), 0);
    b.advance(1);
    assert.notEqual(b.read(register.ConfigGeneration), before);
    assert.equal(b.read(register.InterruptStatus), 2);
    assert.deepEqual(b.kinds('config-change', 'interrupt'), ['config-change', 'interrupt']);
  });

  it('tells the outside on its channels', () => {
    const b = new ModelBench();
    b.start([places]);
    b.model.onNotified = (context) => context.output('log', Uint8Array.of(1));
    b.notify(0);
    b.advance(2_000);
    assert.deepEqual(b.output, [{ channel: 'log', bytes: Uint8Array.of(1) }]);
  });
});

describe('a wrong device model', () => {
  /** Runs one request with a model that does `act` with its buffer; the messages of its faults. */
  function faults(act: (context: DeviceContext, buffer: DeviceBuffer) => void): { b: ModelBench; messages: string[] } {
    const b = new ModelBench();
    b.start([places]);
    b.model.onNotified = (context) => {
      const buffer = context.next(0);
      if (buffer !== undefined) act(context, buffer);
    };
    request(b, 0, 'hi');
    b.publish(places, 0);
    b.notify(0);
    b.advance(50_000);
    return { b, messages: b.eventsOf('device-fault').map((e) => e.message) };
  }

  it('is named as such when it completes twice, and the driver sees one used entry', () => {
    const { b, messages } = faults((context, buffer) => {
      context.complete(buffer, 0);
      context.complete(buffer, 0);
    });
    assert.deepEqual(messages, ['the device model completed head 0 twice']);
    assert.equal(b.usedIndex(places), 1);
  });

  it('cannot claim more bytes than there is room for', () => {
    const { b, messages } = faults((context, buffer) => context.complete(buffer, 1000));
    assert.match(messages[0] ?? '', /1000 bytes written, but it has room for 0 to 32/);
    assert.equal(b.usedElement(places, 0).len, 32);
  });

  it('cannot write outside its buffer or after completing it', () => {
    const { b } = faults((context, buffer) => {
      assert.equal(buffer.write(30, Uint8Array.of(1, 2, 3, 4)), 2);
      context.complete(buffer, 0);
      assert.equal(buffer.write(0, Uint8Array.of(9)), 0);
    });
    assert.deepEqual([...b.memory.read(answer, 36)].slice(28), [0, 0, 1, 2, 0, 0, 0, 0]);
    assert.equal(b.peek(answer, 1), 0n);
  });

  it('that throws ends in DEVICE_NEEDS_RESET with its message, not in a crash', () => {
    const { b, messages } = faults(() => {
      throw new Error('out of paper');
    });
    assert.deepEqual(messages, ['the device model failed: out of paper']);
    assert.equal(b.read(register.Status), 15 | 64);
  });

  it('that keeps a buffer over a reset does no harm with it', () => {
    const kept: DeviceBuffer[] = [];
    let given: DeviceContext | undefined;
    const { b } = faults((context, buffer) => {
      given = context;
      kept.push(buffer);
    });
    b.write(register.Status, 0);
    const [buffer] = kept;
    assert.ok(buffer !== undefined);
    assert.equal(buffer.read(0, 2).length, 0);
    assert.equal(buffer.write(0, Uint8Array.of(1)), 0);
    given?.complete(buffer, 1);
    b.advance(50_000);
    assert.equal(b.usedIndex(places), 0);
  });
});
