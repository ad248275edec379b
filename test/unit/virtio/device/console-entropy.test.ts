// Console and entropy devices. [virtio 1.4, 5.3 and 5.4]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base, placesAt, ramBase, register, VirtioBench } from '../bench';

const receive = placesAt(ramBase, 8);
const transmit = placesAt(ramBase + 0x2000, 8);
const buffer = ramBase + 0x8000;
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytes = (words: string): Uint8Array => Uint8Array.from(words, (c) => c.charCodeAt(0));

function consoleBench(): VirtioBench {
  return new VirtioBench([{ ...base, name: 'console0', type: 'console' }]);
}

describe('console', () => {
  it('sends what the driver transmits, in order and gathered from all pieces', () => {
    const b = consoleBench();
    b.start([receive, transmit], [29]);
    b.memory.write(buffer, bytes('Hello, ringside'));
    b.chain(transmit.descriptor, 0, [
      { address: buffer, length: 7 },
      { address: buffer + 7, length: 8 },
    ]);
    b.descriptor(transmit.descriptor, 4, buffer, 5, 0);
    b.publish(transmit, 0, 4);
    b.notify(1);
    b.advance(50_000);
    assert.deepEqual(
      b.output.map((o) => [o.channel, text(o.bytes)]),
      [
        ['console0', 'Hello, ringside'],
        ['console0', 'Hello'],
      ],
    );
    assert.deepEqual([b.usedIndex(transmit), b.usedElement(transmit, 0)], [2, { id: 0, len: 0 }]);
  });

  it('keeps input until a buffer is posted and spreads it over buffers', () => {
    const b = consoleBench();
    b.virtio.input('console0', bytes('before the driver '));
    b.start([receive, transmit]);
    b.virtio.input('console0', bytes('and after'));
    b.advance(50_000);
    assert.equal(b.usedIndex(receive), 0);
    for (let i = 0; i < 4; i++) b.descriptor(receive.descriptor, i, buffer + 16 * i, 10, 2);
    b.publish(receive, 0, 1, 2, 3);
    b.notify(0);
    b.advance(50_000);
    assert.equal(b.usedIndex(receive), 3);
    const got = [0, 1, 2].map((slot) => {
      const { id, len } = b.usedElement(receive, slot);
      return text(b.memory.read(buffer + 16 * id, len));
    });
    assert.deepEqual(got, ['before the', ' driver an', 'd after']);
    assert.equal(b.inspect().queues[0]?.lastAvailable, 3, 'the fourth buffer stays available');
  });

  it('delivers input without a notification when buffers are there already', () => {
    const b = consoleBench();
    b.start([receive, transmit], [29]);
    b.descriptor(receive.descriptor, 0, buffer, 10, 2);
    b.publish(receive, 0);
    b.notify(0);
    b.advance(50_000);
    b.virtio.input('console0', bytes('x'));
    b.advance(50_000);
    assert.deepEqual([b.usedIndex(receive), text(b.memory.read(buffer, 1))], [1, 'x']);
  });

  it('keeps waiting input over save, restore and reset', () => {
    const b = consoleBench();
    b.virtio.input('console0', bytes('kept'));
    const saved = structuredClone(b.virtio.save());
    const other = consoleBench();
    other.virtio.restore(saved);
    other.start([receive, transmit]);
    other.descriptor(receive.descriptor, 0, buffer, 10, 2);
    other.publish(receive, 0);
    other.notify(0);
    other.advance(50_000);
    assert.equal(text(other.memory.read(buffer, 4)), 'kept');
  });

  it('writes a character at once through emerg_wr, without any set-up', () => {
    const b = consoleBench();
    b.write(register.Config + 8, 0x141, 4);
    assert.deepEqual(
      b.output.map((o) => text(o.bytes)),
      ['A'],
    );
    assert.equal(b.read(register.Config, 2), 80);
    assert.equal(b.read(register.Config + 2, 2), 25);
  });

  it('refuses input for a device that does not exist', () => {
    assert.throws(() => consoleBench().virtio.input('console7', bytes('x')), /no device console7/);
  });

  it('a transmit buffer that claims gigabytes does not hang the machine', () => {
    const b = consoleBench();
    b.start([receive, transmit]);
    b.chain(
      transmit.descriptor,
      0,
      Array.from({ length: 8 }, () => ({ address: ramBase, length: 1024 * 1024 })),
    );
    b.publish(transmit, 0);
    b.notify(1);
    b.advance(50_000);
    assert.deepEqual(b.output, []);
    assert.match(b.inspect().needsReset ?? '', /8388608 bytes/);
  });
});

describe('entropy', () => {
  function draw(seed: number, name = 'rng0'): Uint8Array {
    const b = new VirtioBench([{ ...base, name, type: 'entropy' }], seed);
    b.start([receive]);
    b.descriptor(receive.descriptor, 0, buffer, 64, 2);
    b.publish(receive, 0);
    b.notify(0);
    b.advance(50_000);
    assert.deepEqual(b.usedElement(receive, 0), { id: 0, len: 64 });
    return b.memory.read(buffer, 64);
  }

  it('fills the buffer, equal for equal seeds and different otherwise', () => {
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
    assert.notDeepEqual(draw(1), draw(1, 'rng1'));
    assert.ok(new Set(draw(1)).size > 32, 'the bytes look random');
  });

  it('goes on where it was after a restore', () => {
    const b = new VirtioBench([{ ...base, name: 'rng0', type: 'entropy' }]);
    const ask = (bench: VirtioBench): Uint8Array => {
      bench.publish(receive, 0);
      bench.notify(0);
      bench.advance(50_000);
      return bench.memory.read(buffer, 64);
    };
    b.start([receive]);
    b.descriptor(receive.descriptor, 0, buffer, 64, 2);
    ask(b);
    const saved = structuredClone(b.virtio.save());
    const [memory, clock] = [b.memory.read(ramBase, 0x9000), b.clock.save()];
    const first = ask(b);
    b.memory.write(ramBase, memory);
    b.virtio.restore(saved);
    b.clock.restore(clock);
    assert.deepEqual(ask(b), first);
  });

  it('has no configuration space', () => {
    const b = new VirtioBench([{ ...base, name: 'rng0', type: 'entropy' }]);
    assert.equal(b.read(register.Config, 1), 0xff);
    b.write(register.Config, 1, 1);
    assert.equal(b.eventsOf('config-read')[0]?.field, undefined);
  });
});
