// The command line of `ringside run`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRun, UsageError } from '../../../extension/cli/options';

test('a guest with devices, rules and limits', () => {
  const options = parseRun([
    '--device',
    'block,image=/d.img,slot=0,features=+EVENT_IDX:-INDIRECT_DESC',
    '--device=entropy',
    '--rules',
    'must=report,ring.*=off',
    '--max-instructions',
    '1e9',
    '--timeout=2.5',
    '--report',
    'json:/r.json',
    '--report',
    'text',
    '--harts',
    '4',
    '/k.elf',
  ]);
  const { configuration } = options;
  assert.equal(configuration.guest, '/k.elf');
  assert.equal(configuration.clock, 'warp');
  assert.equal(configuration.harts, 4);
  assert.deepEqual(configuration.devices[0]?.features, ['+EVENT_IDX', '-INDIRECT_DESC']);
  assert.equal(configuration.devices[1]?.type, 'entropy');
  assert.deepEqual(configuration.rules, [
    { pattern: 'must', action: 'report' },
    { pattern: 'ring.*', action: 'off' },
  ]);
  assert.equal(options.maxInstructions, 1e9);
  assert.equal(options.timeoutSeconds, 2.5);
  assert.equal(options.failOn, 'must');
  assert.equal(options.onViolation, 'continue');
  assert.deepEqual(options.reports, [
    { format: 'json', file: '/r.json' },
    { format: 'text', file: undefined },
  ]);
});

test('GUEST and --kernel are the same', () => {
  assert.equal(parseRun(['--kernel', '/k']).configuration.guest, '/k');
  assert.throws(() => parseRun(['--kernel', '/k', '/k']), UsageError);
});

test('firmware alone may be complete', () => {
  assert.deepEqual(parseRun(['--bios', '/fw.elf']).configuration.bios, { kind: 'file', path: '/fw.elf' });
});

for (const [words, expected] of [
  [[], /program: missing/],
  [['--kernell', 'k'], /unknown option --kernell \(did you mean "--kernel"\?\)/],
  [['k', '--timeout'], /--timeout needs a value/],
  [['k', '--timeout', '0'], /expected seconds above 0/],
  [['k', '--report', 'xml'], /expected one of text, json/],
  [['k', '--campaign', '0'], /--campaign: found 0, expected 1 to 100000 seeds/],
  [['k', '--device', 'entropy,mood=slowRest'], /did you mean "slowReset"/],
  [['k', '--device', 'entropy,mood=preAgedIndices'], /"preAgedIndices" cannot be had: a queue begins at index 0/],
  [['k', '--device', 'entropy,hostile=maybe'], /hostile: found "maybe", expected true or false/],
  [['k', '--rules', 'must'], /expected rule=break/],
  [['k', '--rules', 'must=stop'], /expected break, report or off/],
  [['k', '--device', 'block,image'], /expected key=value/],
  [['k', '--device', 'block,image=x,transport=usb'], /transport: found "usb", expected one of mmio/],
  [['k', '--expect', '('], /not a regular expression/],
  [['k', 'l'], /found 2 guests/],
  [['k', '--memory', '1M', '--memory', '2M'], /--memory was given 2 times/],
] as const) {
  test(`refused: ringside run ${words.join(' ')}`, () => {
    assert.throws(
      () => parseRun([...words]),
      (error) => error instanceof UsageError && expected.test(error.message),
    );
  });
}
