// The shared model: how numbers look, and that only well-formed messages pass the border.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  countOf,
  emptyModel,
  formatAddress,
  formatBytes,
  formatClock,
  formatDuration,
  formatHex,
  groupDigits,
  parseIntent,
  parsePageMessage,
  plainText,
  type Intent,
} from '../../../webview/model/inspector';
import { scenes } from '../../fixtures/inspector/scenes';

describe('numbers', () => {
  it('groups digits by thousands and addresses by four', () => {
    assert.equal(groupDigits(48_211_907), '48,211,907');
    assert.equal(groupDigits(7n), '7');
    assert.equal(formatAddress(0x8020_0040), '0x8020_0040');
    assert.equal(formatAddress(0x1_8020_0040n), '0x1_8020_0040');
    assert.equal(formatAddress(0), '0x0000_0000');
    assert.equal(formatHex(0xf), '0x0f');
  });

  it('writes durations with the unit that fits', () => {
    assert.equal(formatDuration(31), '31 ns');
    assert.equal(formatDuration(610), '0.61 µs');
    assert.equal(formatDuration(11_000), '11.0 µs');
    assert.equal(formatDuration(30_520_000), '30.5 ms');
    assert.equal(formatDuration(2.5e9), '2.50 s');
    assert.equal(formatDuration(400_000), '400 µs');
  });

  it('writes the clock in milliseconds down to the nanosecond', () => {
    assert.equal(formatClock(48_211_907), '48.211 907 ms');
    assert.equal(formatClock(1_204), '0.001 204 ms');
  });

  it('writes sizes in the largest unit that divides them', () => {
    assert.equal(formatBytes(4096), '4 KiB');
    assert.equal(formatBytes(64 * 2 ** 20), '64 MiB');
    assert.equal(formatBytes(513), '513 bytes');
    assert.equal(formatBytes(1), '1 byte');
    assert.equal(formatBytes(0), '0 bytes');
    assert.equal(countOf(1, 'queue'), '1 queue');
    assert.equal(countOf(2, 'entry', 'entries'), '2 entries');
  });

  it('keeps grouped digits readable as the number they were', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n }),
        (value) => BigInt(groupDigits(value).replaceAll(',', '')) === value,
      ),
    );
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (value) => BigInt(formatAddress(value).replaceAll('_', '')) === value,
      ),
    );
  });
});

const intents: readonly Intent[] = [
  { type: 'ready' },
  { type: 'rendered', sequence: 7 },
  { type: 'selectDevice', device: 'vda' },
  { type: 'selectQueue', device: 'vda', queue: 1 },
  { type: 'showRows', first: 0, count: 32_768 },
  { type: 'goToSource', file: '/guest/driver.c', line: 142 },
  { type: 'goToAddress', pc: '0x80000484' },
  { type: 'showMemory', address: '0x80200040', lengthBytes: 16 },
  { type: 'breakWhenChanges', address: '0x80200040', lengthBytes: 16 },
  { type: 'nextRingEvent' },
  { type: 'mute', violation: 0 },
  { type: 'openRule', rule: 'split.owned-descriptor-store' },
  { type: 'openSpec', section: '3.1.1' },
  { type: 'showScreen', screen: 'queues' },
  { type: 'copy', text: '#define X' },
];

describe('messages from a page', () => {
  it('pass when they are an intent', () => {
    for (const intent of intents) assert.deepEqual(parseIntent(structuredClone(intent)), intent);
  });

  it('are nothing when a field is missing, out of range or too many', () => {
    const refused: readonly unknown[] = [
      null,
      'ready',
      [],
      {},
      { type: 'toString' },
      { type: '__proto__' },
      { type: 'hasOwnProperty' },
      { type: 'ready', extra: 1 },
      { type: 'selectDevice' },
      { type: 'selectDevice', device: '' },
      { type: 'selectDevice', device: 'x'.repeat(5000) },
      { type: 'selectQueue', device: 'vda', queue: -1 },
      { type: 'selectQueue', device: 'vda', queue: 1.5 },
      { type: 'showRows', first: 0, count: 1e9 },
      { type: 'goToSource', file: '/guest/driver.c', line: 0 },
      { type: 'goToAddress', pc: '80000484' },
      { type: 'goToAddress', pc: '0x80000484; rm' },
      { type: 'showMemory', address: '0x1', lengthBytes: Number.NaN },
      { type: 'openRule', rule: '../../etc/passwd' },
      { type: 'openRule', rule: 'a b' },
      { type: 'openSpec', section: 'https://example.invalid' },
      { type: 'showScreen', screen: 'constructor' },
      { type: 'copy', text: 'x'.repeat(100_000) },
    ];
    for (const message of refused) assert.equal(parseIntent(message), null, JSON.stringify(message)?.slice(0, 80));
  });

  it('never throw, whatever they are', () => {
    fc.assert(fc.property(fc.anything(), (value) => parseIntent(value) === null || typeof value === 'object'));
    fc.assert(fc.property(fc.anything(), (value) => parsePageMessage(value) === null || typeof value === 'object'));
    const almost = fc.record({
      type: fc.constantFrom(...intents.map((intent) => intent.type)),
      device: fc.anything(),
      queue: fc.anything(),
      line: fc.anything(),
    });
    fc.assert(fc.property(almost, (value) => parseIntent(value) === null));
  });
});

describe('messages to a page', () => {
  it('pass when they are a snapshot or name a screen', () => {
    assert.notEqual(parsePageMessage({ type: 'snapshot', model: emptyModel(3) }), null);
    assert.notEqual(parsePageMessage({ type: 'show', screen: 'features' }), null);
  });
  it('are nothing otherwise', () => {
    assert.equal(parsePageMessage({ type: 'snapshot' }), null);
    assert.equal(parsePageMessage({ type: 'snapshot', model: { ...emptyModel(1), sequence: '1' } }), null);
    assert.equal(parsePageMessage({ type: 'snapshot', model: { ...emptyModel(1), events: {} } }), null);
    assert.equal(parsePageMessage({ type: 'show', screen: 'settings' }), null);
  });
});

describe('models', () => {
  it('survive the way to the page unchanged', () => {
    for (const { name, model } of scenes) assert.deepEqual(JSON.parse(JSON.stringify(model)), model, name);
  });
  it('hold only intents that the border lets pass', () => {
    const found: unknown[] = [];
    const search = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, each] of Object.entries(value)) {
        if (key === 'intent') found.push(each);
        search(each);
      }
    };
    for (const { model } of scenes) search(model);
    assert.ok(found.length > 5);
    for (const intent of found) assert.notEqual(parseIntent(intent), null, JSON.stringify(intent));
  });
});

it('a rich text has the words of its runs', () => {
  const position = { label: 'driver.c:58', file: null, line: null, pc: '0x1' };
  assert.equal(
    plainText([
      'wrote ',
      { strong: '0x00' },
      ' at ',
      { position },
      { code: ' x' },
      { link: ' y', intent: { type: 'ready' } },
    ]),
    'wrote 0x00 at driver.c:58 x y',
  );
});
