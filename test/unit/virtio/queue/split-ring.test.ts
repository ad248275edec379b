// The split ring's layout and index arithmetic. [virtio 1.4, 2.7]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { areaBytes, fieldsBetween, needsEvent, type SplitArea } from '../../../../emulator/virtio/spec/split-ring';

describe('split ring layout', () => {
  it('has the sizes of the specification table', () => {
    assert.deepEqual(
      [areaBytes.descriptor(256), areaBytes.available(256), areaBytes.used(256)],
      [16 * 256, 6 + 2 * 256, 6 + 8 * 256],
    );
  });

  it('covers every byte of every area by exactly one field', () => {
    const areas: SplitArea[] = ['descriptor', 'available', 'used'];
    for (const area of areas) {
      for (const size of [1, 2, 8]) {
        const fields = fieldsBetween(area, size, 0, areaBytes[area](size));
        let end = 0;
        for (const field of fields) {
          assert.equal(field.offset, end, `${area} of ${size}: gap before ${JSON.stringify(field.place)}`);
          end = field.offset + field.size;
        }
        assert.equal(end, areaBytes[area](size));
      }
    }
  });

  it('finds event fields behind the rings', () => {
    assert.deepEqual(fieldsBetween('available', 4, 12, 14)[0]?.place, { part: 'available', field: 'used_event' });
    assert.deepEqual(fieldsBetween('used', 4, 36, 38)[0]?.place, { part: 'used', field: 'avail_event' });
  });

  it('yields all fields of a wide access, in address order', () => {
    const places = fieldsBetween('available', 4, 0, 8).map((f) => f.place);
    assert.deepEqual(places, [
      { part: 'available', field: 'flags' },
      { part: 'available', field: 'idx' },
      { part: 'available', field: 'ring', slot: 0 },
      { part: 'available', field: 'ring', slot: 1 },
    ]);
  });

  it('names the table of an indirect descriptor', () => {
    assert.deepEqual(fieldsBetween('descriptor', 4, 24, 28, 0x8000_4000)[0]?.place, {
      part: 'descriptor',
      index: 1,
      field: 'len',
      table: 0x8000_4000,
    });
  });
});

describe('event index arithmetic', () => {
  it('asks for a notification exactly when the event lies in the half-open step, also across the wrap', () => {
    const index = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(index, fc.integer({ min: 0, max: 300 }), index, (old, moved, event) => {
        const now = (old + moved) & 0xffff;
        let passed = false;
        for (let i = 0; i < moved; i++) if (((old + i) & 0xffff) === event) passed = true;
        assert.equal(needsEvent(event, now, old), passed);
      }),
    );
  });

  it('wraps from 65535 to 0', () => {
    assert.equal(needsEvent(0xffff, 0, 0xffff), true);
    assert.equal(needsEvent(0, 0, 0xffff), false);
  });
});
