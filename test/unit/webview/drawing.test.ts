// The page's computed parts: what stands where, and what a picture says in words.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { activityPath } from '../../../webview/drawing/activity';
import { indicesText, placeIndices } from '../../../webview/drawing/indices';
import { countStates, minimapColumns, minimapPaths, minimapText } from '../../../webview/drawing/minimap';
import { ownershipText, placeLabels } from '../../../webview/drawing/ownership';
import { headHeight, middlesOf, rowHeight, tallRowHeight } from '../../../webview/drawing/wires';
import { featuresAsC, filterFeatures } from '../../../webview/parts/feature-filter';
import { detailsOf } from '../../../webview/parts/things';
import { visibleRows } from '../../../webview/parts/virtual-rows';
import { largeItems, missingRows, visibleFrame } from '../../../webview/screens/large-ring';
import { foldText, tableItems } from '../../../webview/screens/split-ring';
import { placeEvents } from '../../../webview/screens/timeline';
import { blockDevice } from '../../fixtures/inspector/device';
import { packedIdle, packedQueue } from '../../fixtures/inspector/packed';
import { largeQueue, smallQueue } from '../../fixtures/inspector/queue';
import { circleText, linesOf, onCircle, placesOf, sector } from '../../../webview/drawing/circle';
import { scenes } from '../../fixtures/inspector/scenes';
import { ownedStore } from '../../fixtures/inspector/violation';

const anyStates = fc
  .array(fc.constantFrom('F', 'B', 'A', 'I', 'U'), { minLength: 1, maxLength: 600 })
  .map((letters) => letters.join(''));

describe('minimap', () => {
  it('counts every entry once, however many share a column', () => {
    fc.assert(
      fc.property(anyStates, fc.integer({ min: 1, max: 300 }), (states, columns) => {
        const groups = minimapColumns(states, columns);
        const sum = groups.reduce((total, each) => total + each.F + each.B + each.A + each.I + each.U, 0);
        return sum === states.length && groups.length <= columns;
      }),
    );
  });
  it('says what it shows', () => {
    assert.equal(minimapText('UUUIIIAB'), '8 descriptors: 3 in the device, 1 available, 3 used, 1 being filled');
    assert.equal(minimapText('F'), '1 descriptor: 1 free');
    assert.deepEqual(countStates('FFAx'), { F: 3, B: 0, A: 1, I: 0, U: 0 });
  });
  it('draws a full column for the device and a base line for free ones', () => {
    const paths = minimapPaths('IF', 20, 30, 2);
    assert.equal(paths.I, 'M0.50 0.00h9.00v30.00h-9.00z');
    assert.equal(paths.F, 'M10.50 28.00h9.00v2.00h-9.00z');
    assert.equal(paths.U, '');
  });
});

describe('line of indices', () => {
  it('keeps the order and gives what is not empty room for its words', () => {
    const { positions, spans } = placeIndices(largeQueue.positions, largeQueue.spans, 1052);
    assert.deepEqual(
      positions.map((each) => each.label),
      ['last_used', 'used.idx', 'last_avail', 'avail.idx'],
    );
    assert.ok(positions.every((each, at) => at === 0 || each.x > (positions[at - 1]?.x ?? 0)));
    assert.ok(spans.every((each) => each.to - each.from >= 150));
  });
  it('lets positions that agree share one label', () => {
    const { positions, spans } = placeIndices(
      smallQueue.positions,
      smallQueue.spans.map((span) => ({ ...span, count: span.state === 'I' ? 2 : 0 })),
      1052,
    );
    assert.deepEqual(
      positions.map((each) => each.label),
      ['last_used = used.idx', 'last_avail = avail.idx'],
    );
    assert.equal(spans.length, 1);
    assert.equal(
      placeIndices(
        smallQueue.positions,
        smallQueue.spans.map((span) => ({ ...span, count: 0 })),
        1052,
      ).positions.length,
      1,
    );
  });
  it('is told in words', () => {
    assert.equal(
      indicesText(smallQueue),
      'last_used 220, used.idx 221, last_avail 222, avail.idx 223; 1 to collect, 1 in the device, 1 to fetch',
    );
  });
});

it('wires meet the middle of rows, folded and tall ones included', () => {
  const middles = middlesOf([
    { key: 0, height: rowHeight },
    { key: null, height: rowHeight },
    { key: 9, height: tallRowHeight },
  ]);
  assert.equal(middles.get(0), headHeight + 12);
  assert.equal(middles.get(9), headHeight + 48 + 22);
  assert.equal(middles.size, 2);
});

describe('virtual rows', () => {
  it('draw what is in sight and keep the height of the rest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(24, 44), { maxLength: 2000 }),
        fc.nat(60_000),
        fc.integer({ min: 1, max: 900 }),
        (heights, scrollTop, viewport) => {
          const shown = visibleRows(heights, scrollTop, viewport);
          const total = heights.reduce((sum, each) => sum + each, 0);
          const drawn = heights.slice(shown.first, shown.end).reduce((sum, each) => sum + each, 0);
          return shown.above + drawn + shown.below === total && drawn <= viewport + 4 * 120 + 88;
        },
      ),
    );
  });
  it('are few for the largest queue', () => {
    const shown = visibleRows(new Array<number>(32_768).fill(24), 400_000, 800);
    assert.ok(shown.end - shown.first < 60);
    assert.ok(shown.first * 24 <= 400_000 && shown.end * 24 >= 400_800);
  });
});

describe('descriptor rows', () => {
  it('fold runs of free ones, and only those', () => {
    const rows = smallQueue.descriptors.map((row, index) => (index >= 5 ? { ...row, state: 'F' as const } : row));
    const items = tableItems(rows, true);
    assert.deepEqual(
      items.map((item) => (item.kind === 'row' ? item.row.index : foldText(item.run))),
      [0, 1, 2, 3, 4, '⋯ 5 – 7: 3 free ⋯'],
    );
    assert.equal(tableItems(rows, false).length, 8);
  });
  it('of a large queue are known by letter before their content is there', () => {
    const items = largeItems(largeQueue.states, true);
    assert.equal(items.filter((item) => item.kind === 'descriptor').length, 53);
    assert.equal(largeItems(largeQueue.states, false).length, 256);
    assert.equal(missingRows(largeQueue, items, 0, items.length), null);
    const poorer = { ...largeQueue, descriptors: largeQueue.descriptors.filter((row) => row.index < 100) };
    const last = largeQueue.states.lastIndexOf('B');
    assert.deepEqual(missingRows(poorer, items, 0, items.length), { first: 100, count: last - 99 });
  });
  it('in sight are framed in the minimap', () => {
    const items = largeItems('FFFFAAFF', true);
    assert.deepEqual(visibleFrame(items, 8, 0, 4), { from: 0, to: 1 });
    assert.deepEqual(visibleFrame(items, 8, 1, 3), { from: 0.5, to: 0.75 });
  });
});

describe('ownership over time', () => {
  it('is told in words, the future marked', () => {
    assert.ok(ownedStore.ownership !== null);
    assert.equal(
      ownershipText(ownedStore.ownership),
      'free 0.90 µs, filled 0.20 µs, available 1.03 µs, in the device 4.67 µs, then would stay in the device, 5.33 µs 5.33 µs',
    );
  });
  it('has labels that do not cover each other', () => {
    const marks = ownedStore.ownership?.marks ?? [];
    const labels = placeLabels(marks, (at) => (at / 12_130) * 700, 716);
    for (const y of new Set(labels.map((label) => label.y))) {
      const line = labels.filter((label) => label.y === y);
      assert.ok(
        line.every(
          (label, at) => at === 0 || label.left >= (line[at - 1]?.left ?? 0) + (line[at - 1]?.text.length ?? 0) * 6,
        ),
      );
    }
  });
});

it('events that share a time stand side by side, in order and inside the picture', () => {
  const events = scenes.find((scene) => scene.name === 'timeline')?.model.events ?? [];
  const places = placeEvents(events, 900);
  assert.equal(places.length, events.length);
  assert.ok(
    places.every((place, at) => place >= 0 && place <= 900 && (at === 0 || place - (places[at - 1] ?? 0) >= 13.9)),
  );
});

it('the activity curve holds each value until the next', () => {
  assert.equal(activityPath([0, 2]), 'M0 25.0H90.0V5.0H180.0');
  assert.equal(activityPath([]), '');
});

it('features are found by name, bit and meaning, and written as C', () => {
  const { rows } = blockDevice.features;
  assert.deepEqual(
    filterFeatures(rows, 'declined', '').map((row) => row.bit),
    [16, 35, 38, 47],
  );
  assert.deepEqual(
    filterFeatures(rows, 'all', '29').map((row) => row.bit),
    [29],
  );
  assert.deepEqual(
    filterFeatures(rows, 'accepted', 'DISCARD').map((row) => row.bit),
    [13],
  );
  const hostile = [{ ...rows[0]!, meaning: 'ends */ here' }];
  assert.equal(featuresAsC(hostile), '#define VIRTIO_F_SEG_MAX (1ull << 2) /* ends * / here */');
});

it('a descriptor has one detail wherever it appears', () => {
  const model = scenes.find((scene) => scene.name === 'split')?.model;
  assert.ok(model !== undefined);
  assert.equal(detailsOf(model).get('d3')?.title, 'Descriptor 3: header of head 3');
});

describe('the circle of a packed ring', () => {
  it('goes clockwise from the top', () => {
    const [top, right, bottom] = [0, 0.25, 0.5].map((turn) => onCircle(turn, 100));
    assert.ok(top !== undefined && right !== undefined && bottom !== undefined);
    assert.ok(top.y < right.y && right.y < bottom.y && right.x > top.x);
    assert.match(sector(0, 0.25, 50, 100), /^M\S+ \S+A100 100 0 0 1 \S+ \S+L\S+ \S+A50 50 0 0 0 \S+ \S+Z$/);
  });
  it('gives places that agree one mark with all their names', () => {
    assert.deepEqual(placesOf(packedQueue).map(linesOf), [
      ['next to collect', 'driver, 9'],
      ['next used', 'device, 11'],
      ['next to fetch', 'device, 1'],
      ['next available', 'driver, 3'],
    ]);
    assert.deepEqual(placesOf(packedIdle).map(linesOf), [
      ['next to collect', 'next used', 'next to fetch', 'next available', 'slot 3'],
    ]);
  });
  it('has a text form', () => {
    assert.ok(packedQueue.packed !== undefined);
    assert.equal(
      circleText(packedQueue, packedQueue.packed),
      'Ring of 16: next to collect 9, next used 11, next to fetch 1, next available 3; wrap counter of the driver 0, of the device 1',
    );
  });
});
