// The chain walker on sound and on hostile rings. [virtio 1.4, 2.7.5]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Chain } from '../../../../emulator/record/events';
import { chainErrorKind } from '../../../../emulator/virtio/driver-error';
import { maximumElements, type ReadableMemory, walkChain } from '../../../../emulator/virtio/queue/chain';

const base = 0x8000_0000;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** RAM that refuses, loudly, every read outside. */
class StrictMemory implements ReadableMemory {
  readonly bytes = new Uint8Array(16 * 1024);
  readonly view = new DataView(this.bytes.buffer);
  reads = 0;
  contains(address: number, length: number): boolean {
    return address >= base && address + length <= base + this.bytes.length;
  }
  read16(address: number): number {
    return this.view.getUint16(this.offset(address, 2), true);
  }
  read32(address: number): number {
    return this.view.getUint32(this.offset(address, 4), true);
  }
  read64(address: number): bigint {
    return this.view.getBigUint64(this.offset(address, 8), true);
  }
  private offset(address: number, length: number): number {
    this.reads++;
    if (!this.contains(address, length)) throw new RangeError(`read outside RAM at ${address}`);
    return address - base;
  }
  descriptor(table: number, index: number, address: number | bigint, length: number, flags: number, next = 0): void {
    const at = table - base + 16 * index;
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }
}

const buffer = base + 0x2000;
function walk(memory: StrictMemory, head = 0, queueSize = 8, indirect = true): Chain {
  return walkChain({ memory, descriptorAddress: base, queueSize, indirect }, { head, slot: 3, position: 11 });
}
function defects(chain: Chain): string[] {
  return chain.defects.map((d) => d.kind);
}

describe('walkChain', () => {
  it('follows NEXT and keeps directions and places', () => {
    const memory = new StrictMemory();
    memory.descriptor(base, 2, buffer, 16, NEXT, 5);
    memory.descriptor(base, 5, buffer + 16, 512, NEXT | WRITE, 1);
    memory.descriptor(base, 1, buffer + 528, 1, WRITE);
    const chain = walk(memory, 2);
    assert.deepEqual(chain.defects, []);
    assert.deepEqual(
      chain.elements.map((e) => [e.index, e.at, Number(e.address), e.length, e.deviceWritable, e.indirect]),
      [
        [2, base + 32, buffer, 16, false, false],
        [5, base + 80, buffer + 16, 512, true, false],
        [1, base + 16, buffer + 528, 1, true, false],
      ],
    );
    assert.deepEqual([chain.head, chain.slot, chain.position], [2, 3, 11]);
  });

  it('serves direct descriptors followed by one indirect table, whose WRITE flag means nothing (lguest.b.ignore-write-on-indirect)', () => {
    const memory = new StrictMemory();
    const table = base + 0x1000;
    memory.descriptor(base, 0, buffer, 16, NEXT, 1);
    memory.descriptor(base, 1, table, 32, INDIRECT | WRITE);
    memory.descriptor(table, 0, buffer + 16, 8, NEXT, 1);
    memory.descriptor(table, 1, buffer + 32, 8, WRITE);
    const chain = walk(memory);
    assert.deepEqual(chain.defects, []);
    assert.deepEqual(
      chain.elements.map((e) => [e.index, e.indirect, e.deviceWritable]),
      [
        [0, false, false],
        [0, true, false],
        [1, true, true],
      ],
    );
    assert.deepEqual(chain.tables, [{ index: 1, address: table, entries: 2 }]);
  });

  const outside = 0x1000;
  const table = base + 0x1000;
  const cases: readonly (readonly [string, (m: StrictMemory) => Chain, string[]])[] = [
    ['a head beyond the queue', (m) => walk(m, 8), ['head-out-of-range']],
    ['a next beyond the queue', (m) => (m.descriptor(base, 0, buffer, 4, NEXT, 8), walk(m)), ['next-out-of-range']],
    [
      'a loop',
      (m) => (m.descriptor(base, 0, buffer, 4, NEXT, 1), m.descriptor(base, 1, buffer, 4, NEXT, 0), walk(m)),
      ['loop'],
    ],
    [
      'a readable piece after a writable one',
      (m) => (m.descriptor(base, 0, buffer, 4, NEXT | WRITE, 1), m.descriptor(base, 1, buffer, 4, 0), walk(m)),
      ['readable-after-writable'],
    ],
    ['no bytes', (m) => (m.descriptor(base, 0, buffer, 0, 0), walk(m)), ['zero-length']],
    ['a buffer outside RAM', (m) => (m.descriptor(base, 0, outside, 4, 0), walk(m)), ['buffer-outside-memory']],
    [
      'a buffer at the top of the address space',
      (m) => (m.descriptor(base, 0, 0xffff_ffff_ffff_fff0n, 64, 0), walk(m)),
      ['buffer-outside-memory'],
    ],
    [
      'INDIRECT without the feature',
      (m) => (m.descriptor(base, 0, table, 16, INDIRECT), m.descriptor(table, 0, buffer, 4, 0), walk(m, 0, 8, false)),
      ['indirect-not-negotiated'],
    ],
    [
      'INDIRECT together with NEXT',
      (m) => (m.descriptor(base, 0, table, 16, INDIRECT | NEXT, 1), m.descriptor(table, 0, buffer, 4, 0), walk(m)),
      ['indirect-and-next'],
    ],
    [
      'INDIRECT inside an indirect table',
      (m) => (m.descriptor(base, 0, table, 16, INDIRECT), m.descriptor(table, 0, buffer, 16, INDIRECT), walk(m)),
      ['indirect-nested'],
    ],
    ['an empty indirect table', (m) => (m.descriptor(base, 0, table, 0, INDIRECT), walk(m)), ['indirect-length']],
    [
      'an indirect table of broken length',
      (m) => (m.descriptor(base, 0, table, 24, INDIRECT), walk(m)),
      ['indirect-length'],
    ],
    [
      'an indirect table outside RAM',
      (m) => (m.descriptor(base, 0, base + 0x3ff8, 16, INDIRECT), walk(m)),
      ['indirect-outside-memory'],
    ],
    [
      'a next beyond the indirect table',
      (m) => (m.descriptor(base, 0, table, 16, INDIRECT), m.descriptor(table, 0, buffer, 4, NEXT, 1), walk(m)),
      ['next-out-of-range'],
    ],
    [
      'more descriptors than the queue has',
      (m) => {
        m.descriptor(base, 0, table, 16 * 9, INDIRECT);
        for (let i = 0; i < 9; i++) m.descriptor(table, i, buffer, 4, i < 8 ? NEXT : 0, i + 1);
        return walk(m);
      },
      ['too-long'],
    ],
    [
      'more than 2^32 bytes',
      (m) => {
        m.descriptor(base, 0, buffer, 0xffff_ffff, NEXT, 1);
        m.descriptor(base, 1, buffer, 2, 0);
        return walk(m);
      },
      ['buffer-outside-memory', 'too-many-bytes'],
    ],
  ];
  for (const [what, make, expected] of cases) {
    it(`names ${what}`, () => assert.deepEqual(defects(make(new StrictMemory())), expected));
  }

  it('finds several defects in one walk', () => {
    const memory = new StrictMemory();
    memory.descriptor(base, 0, outside, 4, NEXT | WRITE, 1);
    memory.descriptor(base, 1, buffer, 0, NEXT, 9);
    assert.deepEqual(defects(walk(memory)), [
      'buffer-outside-memory',
      'readable-after-writable',
      'zero-length',
      'next-out-of-range',
    ]);
  });

  it('takes a chain of exactly the queue size', () => {
    const memory = new StrictMemory();
    for (let i = 0; i < 8; i++) memory.descriptor(base, i, buffer, 4, i < 7 ? NEXT : 0, i + 1);
    const chain = walk(memory);
    assert.deepEqual([chain.elements.length, defects(chain)], [8, []]);
  });

  it('gives up on a table of 2^28 entries after its limit', () => {
    const memory = new StrictMemory();
    // 1000 entries that chain up and then loop would need as many steps; the memory here only holds 1024 in all.
    memory.descriptor(base, 0, base, 0x4000, INDIRECT);
    for (let i = 1; i < 1024; i++) memory.descriptor(base, i, buffer, 4, NEXT, i + 1);
    const chain = walk(memory, 0, 1);
    assert.ok(chain.elements.length <= maximumElements);
    assert.ok(chain.defects.length > 0);
  });

  it('never throws, never reads outside RAM and does bounded work on any memory', () => {
    const word = fc.oneof(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 32, 0xffff, 0xffff_ffff, base, base + 0x1000, base + 0x3ff0),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 16, maxLength: 256 }), fc.nat(20), fc.nat(12), (words, head, sizeLog) => {
        const memory = new StrictMemory();
        words.forEach((value, i) => memory.view.setUint32(4 * i, value, true));
        const queueSize = Math.min(2 ** sizeLog, 1024);
        const chain = walk(memory, head, queueSize);
        assert.ok(chain.elements.length <= maximumElements);
        assert.ok(memory.reads <= 4 * (maximumElements + 2), `${memory.reads} reads`);
        if (chainErrorKind(chain.defects) !== 'chain') {
          for (const { address, length } of chain.elements) assert.ok(memory.contains(Number(address), length));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
