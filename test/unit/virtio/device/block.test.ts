// The block device against real data: requests, their framing, errors, configuration. [virtio 1.4, 5.2]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { blockConfiguration, type Piece, placesAt, ramBase, register, TestDisk, VirtioBench } from '../bench';

const places = placesAt(ramBase, 64);
const header = ramBase + 0x8000;
const data = ramBase + 0x9000;
const diskBytes = 64 * 1024;

const T = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13, SECURE_ERASE: 14 };
const S = { OK: 0, IOERR: 1, UNSUPP: 2 };

interface Result {
  readonly status: number;
  readonly data: Uint8Array;
  readonly used: number;
}

class Driver {
  readonly disk = new TestDisk(diskBytes);
  readonly bench: VirtioBench;
  constructor(
    more: Parameters<typeof blockConfiguration>[1] = {},
    features: readonly number[] = [5, 9, 11, 13, 14, 29],
  ) {
    this.bench = new VirtioBench([blockConfiguration(this.disk, more)]);
    const offered = this.bench.inspect().offeredFeatures;
    this.bench.start(
      [places],
      features.filter((bit) => ((offered >> BigInt(bit)) & 1n) === 1n),
    );
  }

  /** One request; `out` follows the header, `inLength` bytes come back before the status. */
  request(type: number, sector: number | bigint, out: Uint8Array = new Uint8Array(0), inLength = 0): Result {
    const b = this.bench;
    this.writeHeader(type, sector);
    b.memory.write(data, out);
    const inAt = data + 0x4000;
    const pieces: Piece[] = [{ address: header, length: 16 }];
    if (out.length > 0) pieces.push({ address: data, length: out.length });
    if (inLength > 0) pieces.push({ address: inAt, length: inLength, writable: true });
    pieces.push({ address: inAt + inLength, length: 1, writable: true });
    b.memory.write(inAt, new Uint8Array(inLength + 1).fill(0xee));
    return this.send(pieces, inAt, inLength);
  }

  writeHeader(type: number, sector: number | bigint): void {
    this.bench.memory.write32(header, type);
    this.bench.memory.write32(header + 4, 0);
    this.bench.memory.write64(header + 8, BigInt(sector));
  }

  send(pieces: readonly Piece[], inAt: number, inLength: number): Result {
    const b = this.bench;
    const slot = b.usedIndex(places) % places.size;
    b.chain(places.descriptor, 0, pieces);
    b.publish(places, 0);
    b.notify(0);
    b.advance(20_000);
    return {
      status: b.memory.read(inAt + inLength, 1)[0] ?? -1,
      data: b.memory.read(inAt, inLength),
      used: b.usedElement(places, slot).len,
    };
  }

  lastStatus(): string | undefined {
    return this.bench.eventsOf('request').at(-1)?.status;
  }
}

function segment(sector: number, sectors: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return bytes;
}

describe('block requests', () => {
  it('read sectors', () => {
    const d = new Driver();
    const result = d.request(T.IN, 3, undefined, 1024);
    assert.equal(result.status, S.OK);
    assert.deepEqual(result.data, d.disk.bytes.slice(3 * 512, 5 * 512));
    assert.equal(result.used, 1025);
  });

  it('write sectors', () => {
    const d = new Driver();
    const bytes = Uint8Array.from({ length: 1536 }, (_, i) => i * 13);
    const result = d.request(T.OUT, 7, bytes);
    assert.deepEqual([result.status, result.used], [S.OK, 1]);
    assert.deepEqual(d.disk.bytes.slice(7 * 512, 10 * 512), bytes);
    assert.deepEqual(d.disk.calls, ['write 3584 1536']);
  });

  it('flush', () => {
    const d = new Driver();
    assert.equal(d.request(T.FLUSH, 0).status, S.OK);
    assert.deepEqual(d.disk.calls, ['flush']);
  });

  it('give the serial as the id, padded with zeros', () => {
    const d = new Driver({ serial: 'RING-0001' });
    const result = d.request(T.GET_ID, 0, undefined, 20);
    assert.equal(String.fromCharCode(...result.data), 'RING-0001'.padEnd(20, '\0'));
    assert.equal(new Driver().request(T.GET_ID, 0, undefined, 3).data.length, 3);
  });

  it('zero sectors, with and without the unmap flag', () => {
    const d = new Driver();
    assert.equal(d.request(T.WRITE_ZEROES, 0, segment(2, 2)).status, S.OK);
    assert.equal(d.request(T.WRITE_ZEROES, 0, segment(5, 1, 1)).status, S.OK);
    assert.deepEqual(d.disk.bytes.slice(1024, 2048), new Uint8Array(1024));
    assert.deepEqual(d.disk.bytes.slice(2560, 3072), new Uint8Array(512));
    assert.equal(d.request(T.WRITE_ZEROES, 0, segment(2, 2, 2)).status, S.UNSUPP, 'unknown flag');
  });

  it('discard, but not with the unmap flag or an unknown one', () => {
    const d = new Driver();
    assert.equal(d.request(T.DISCARD, 0, segment(2, 2)).status, S.OK);
    assert.equal(d.request(T.DISCARD, 0, segment(2, 2, 1)).status, S.UNSUPP);
    assert.equal(d.request(T.DISCARD, 0, segment(2, 2, 4)).status, S.UNSUPP);
  });

  it('refuse segments that are broken, too many, too long or out of range', () => {
    const d = new Driver();
    const two = new Uint8Array(32);
    assert.equal(d.request(T.DISCARD, 0, new Uint8Array(15)).status, S.IOERR);
    assert.equal(d.request(T.DISCARD, 0).status, S.IOERR);
    assert.equal(d.request(T.DISCARD, 0, two).status, S.UNSUPP);
    assert.equal(d.request(T.WRITE_ZEROES, 0, segment(0, 0xffff_ffff)).status, S.IOERR);
    assert.equal(d.request(T.WRITE_ZEROES, 0, segment(127, 2)).status, S.IOERR);
    assert.deepEqual(d.disk.calls, []);
  });

  it('answer UNSUPP to what is unknown or not offered', () => {
    const d = new Driver();
    assert.equal(d.request(99, 0).status, S.UNSUPP);
    assert.equal(d.request(T.SECURE_ERASE, 0, segment(0, 1)).status, S.UNSUPP);
    const plain = new Driver({ featuresOff: 1n << 13n });
    assert.equal(plain.request(T.DISCARD, 0, segment(0, 1)).status, S.UNSUPP);
  });

  it('answer IOERR beyond the capacity, to broken lengths and to writes of a read-only disk', () => {
    const d = new Driver();
    assert.equal(d.request(T.IN, 127, undefined, 512).status, S.OK);
    const beyond = d.request(T.IN, 127, undefined, 1024);
    assert.deepEqual([beyond.status, beyond.used], [S.IOERR, 1025]);
    assert.deepEqual(beyond.data, new Uint8Array(1024), 'the used length covers bytes that really were written');
    assert.equal(d.request(T.IN, 0xffff_ffff_ffff_ffffn, undefined, 512).status, S.IOERR);
    assert.equal(d.request(T.IN, 0, undefined, 100).status, S.IOERR);
    assert.equal(d.request(T.OUT, 128, new Uint8Array(512)).status, S.IOERR);
    const readOnly = new Driver({ readOnly: true });
    assert.equal(readOnly.request(T.OUT, 0, new Uint8Array(512)).status, S.IOERR);
    assert.equal(readOnly.request(T.WRITE_ZEROES, 0, segment(0, 1)).status, S.IOERR);
    assert.equal(readOnly.request(T.IN, 0, undefined, 512).status, S.OK);
    assert.deepEqual(readOnly.disk.calls, ['read 0 512']);
  });

  it('turn what the host says into IOERR, with its words', () => {
    const d = new Driver();
    d.disk.failure = 'no space left';
    assert.equal(d.request(T.OUT, 0, new Uint8Array(512)).status, S.IOERR);
    assert.match(d.lastStatus() ?? '', /no space left/);
  });

  it('do not depend on how the driver cuts the buffer into descriptors', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, cuts, fc.boolean(), (outCuts, inCuts, write) => {
        const d = new Driver();
        const outLength = 16 + (write ? 1024 : 0);
        const inLength = (write ? 0 : 1024) + 1;
        d.writeHeader(write ? T.OUT : T.IN, 9);
        const payload = Uint8Array.from({ length: 1024 }, (_, i) => i * 31);
        if (write) d.bench.memory.write(header + 16, payload);
        const inAt = data + 0x4000;
        const pieces = [...cut(header, outLength, outCuts, false), ...cut(inAt, inLength, inCuts, true)];
        const result = d.send(pieces, inAt, inLength - 1);
        assert.deepEqual([result.status, result.used], [S.OK, inLength]);
        const expected = d.disk.bytes.slice(9 * 512, 11 * 512);
        assert.deepEqual(write ? payload : result.data, expected);
      }),
      { numRuns: 60 },
    );
  });

  it("touch no byte outside the driver's buffers", () => {
    const d = new Driver();
    const before = d.bench.memory.read(data, 0x8000);
    d.request(T.IN, 0, undefined, 512);
    const after = d.bench.memory.read(data, 0x8000);
    for (let i = 0; i < before.length; i++) {
      const inside = i >= 0x4000 && i < 0x4000 + 513;
      if (!inside && before[i] !== after[i]) assert.fail(`byte ${i} changed`);
    }
  });
});

/** Pieces of the given lengths over `length` bytes from `address`; the last takes what is left. */
function cut(address: number, length: number, lengths: readonly number[], writable: boolean): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const wanted of lengths) {
    const taken = Math.min(wanted, length - done - 1);
    if (taken <= 0) break;
    pieces.push({ address: address + done, length: taken, writable });
    done += taken;
  }
  pieces.push({ address: address + done, length: length - done, writable });
  return pieces;
}

describe('write cache', () => {
  it('is on after negotiation of FLUSH, off without it', () => {
    assert.equal(new Driver({}, [9, 11]).bench.read(register.Config + 32, 1), 1);
    const without = new Driver({}, [11]);
    assert.equal(without.bench.read(register.Config + 32, 1), 0);
    without.request(T.OUT, 0, new Uint8Array(512));
    assert.deepEqual(without.disk.calls, ['write 0 512', 'flush']);
  });

  it('can be switched off by the driver, which flushes', () => {
    const d = new Driver();
    d.bench.write(register.Config + 32, 0, 1);
    d.request(T.OUT, 0, new Uint8Array(512));
    assert.deepEqual(d.disk.calls, ['flush', 'write 0 512', 'flush']);
  });
});

describe('block configuration space', () => {
  it('says what the disk is', () => {
    const fields = new Map(new Driver().bench.inspect().configFields.map((f) => [f.name, f]));
    const value = (name: string): bigint | undefined => fields.get(name)?.value;
    assert.equal(value('capacity'), 128n);
    assert.equal(value('seg_max'), 254n);
    assert.equal(value('blk_size'), 512n);
    assert.equal(value('geometry.heads'), 16n);
    assert.equal(value('max_discard_seg'), 1n);
    assert.equal(value('unused0'), 0n);
    assert.equal(fields.get('num_queues')?.present, false);
    assert.equal(fields.get('zoned.model')?.present, false);
  });

  it('rounds a size that is no multiple of 512 down', () => {
    const b = new VirtioBench([blockConfiguration(new TestDisk(1000))]);
    assert.equal(b.read(register.Config, 4), 1);
  });

  it('ignores writes to other fields', () => {
    const d = new Driver();
    d.bench.write(register.Config, 7, 4);
    assert.equal(d.bench.read(register.Config, 4), 128);
  });
});
