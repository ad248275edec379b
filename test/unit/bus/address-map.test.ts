// The address map: which region answers, and what faults.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessSize, MmioRegion } from '../../../emulator/bus/access';
import { AddressMap } from '../../../emulator/bus/address-map';
import { by } from '../board/bench';

function region(name: string, base: number, sizeBytes: number): MmioRegion & { log: string[] } {
  const log: string[] = [];
  return {
    name,
    base,
    sizeBytes,
    log,
    read: (offset, size) => {
      log.push(`read ${offset} ${size}`);
      return BigInt(offset);
    },
    write: (offset, size, value) => {
      log.push(`write ${offset} ${size} ${value}`);
      return value !== 13n;
    },
    peek: (offset) => BigInt(offset) + 1n,
  };
}

test('accesses reach the region that wholly contains them, with the offset from its base', () => {
  const low = region('low', 0x1000, 0x100);
  const high = region('high', 0x1100, 0x24);
  const map = new AddressMap([high, low]);
  assert.equal(map.load(0x10f8, 8, by), 0xf8n);
  assert.equal(map.load(0x1104, 4, by), 4n);
  assert.equal(map.store(0x1120, 4, 7n, by), 'done');
  assert.deepEqual(high.log, ['read 4 4', 'write 32 4 7']);
  assert.equal(map.store(0x1120, 4, 13n, by), 'fault', 'a region may refuse');
  assert.equal(map.peek(0x1108, 8), 9n);
  assert.equal(low.log.length, 1, 'a peek has no effect');
});

test('holes, unaligned accesses and accesses over an edge fault and reach nobody', () => {
  const only = region('only', 0x1100, 0x24);
  const map = new AddressMap([only]);
  assert.equal(map.load(0x10fc, 4, by), 'fault');
  assert.equal(map.load(0x1124, 4, by), 'fault');
  assert.equal(map.load(0x1120, 8, by), 'fault', 'the last half word pair crosses the end');
  assert.equal(map.load(0x1102, 4, by), 'fault');
  assert.equal(map.store(0x1101, 2, 0n, by), 'fault');
  assert.equal(map.peek(0x2000, 1), undefined);
  assert.deepEqual(only.log, []);
});

test('attempt is passed on where a region has one, and proceeds elsewhere', () => {
  const asked: string[] = [];
  const careful: MmioRegion = {
    ...region('careful', 0x1000, 0x100),
    attempt: (offset, size, kind, value) => {
      asked.push(`${offset} ${size} ${kind} ${value}`);
      return 'stop';
    },
  };
  const map = new AddressMap([careful, region('plain', 0x2000, 0x100)]);
  assert.equal(map.attempt(0x1070, 4, 'write', 1n, by), 'stop');
  assert.equal(map.attempt(0x2000, 4, 'write', 1n, by), 'proceed');
  assert.equal(map.attempt(0x3000, 4, 'read', 0n, by), 'proceed');
  assert.deepEqual(asked, ['112 4 write 1']);
});

test('overlapping regions are refused by name; a removed one no longer answers', () => {
  const first = region('first', 0x1000, 0x1000);
  const map = new AddressMap([first]);
  assert.throws(() => map.add(region('second', 0x1fff, 2)), /second at 0x1fff overlaps first at 0x1000/);
  assert.throws(() => map.add(region('third', 0xfff, 0x3000)), /overlaps/);
  assert.throws(() => map.add(region('empty', 0x9000, 0)), RangeError);
  assert.equal(map.load(0x1000, 1, by), 0n);
  map.remove(first);
  assert.equal(map.load(0x1000, 1, by), 'fault', 'not even from the cache of the last hit');
  map.add(region('second', 0x1ff0, 0x20));
});

test('lookup equals a search through all regions, in any order of accesses', () => {
  const bases = fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 20 });
  const sizes = fc.constantFrom<AccessSize>(1, 2, 4, 8);
  fc.assert(
    fc.property(
      bases,
      fc.array(fc.tuple(fc.integer({ min: 0, max: 64 * 32 }), sizes), { maxLength: 50 }),
      (slots, accesses) => {
        const regions = slots.map((slot) => region(`r${slot}`, slot * 32, 4 + (slot % 29)));
        const map = new AddressMap(regions);
        for (const [address, size] of accesses) {
          const expected = regions.find(
            (r) => address % size === 0 && address >= r.base && address + size <= r.base + r.sizeBytes,
          );
          assert.equal(map.find(address, size), expected);
        }
      },
    ),
  );
});
