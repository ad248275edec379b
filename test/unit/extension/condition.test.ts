// Conditions of exception filters over a violation's fields.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ConditionValue, evaluateCondition } from '../../../extension/debug/condition';

const fields = new Map<string, ConditionValue>([
  ['rule', 'ring.loop'],
  ['device', 'vda'],
  ['queue', 0n],
  ['pc', 0x8000_1234n],
  ['line', undefined],
  ['value_written', '0x2 (DRIVER)'],
  ['address', '0x1000'],
]);
const holds = (text: string): boolean => {
  const result = evaluateCondition(text, fields);
  assert.ok(result.ok, `${text}: ${result.ok ? '' : result.message}`);
  return result.value;
};

test('comparisons, logic, patterns and brackets', () => {
  for (const [text, expected] of [
    ['rule == "ring.loop"', true],
    ["device != 'vda'", false],
    ['queue == 0 && pc >= 0x80000000', true],
    ['queue == 1 || device =~ "^vd"', true],
    ['!(device =~ "^vd")', false],
    ['device !~ "^vd"', false],
    ['pc & 0xfff == 0x234', true],
    ['address == 0x1000', true],
    ['address > 4095', true],
    ['line', false],
    ['value_written =~ "DRIVER"', true],
    ['true && !false', true],
  ] as const) {
    assert.equal(holds(text), expected, text);
  }
});

test('a mistake is an answer with its place', () => {
  for (const [text, expected] of [
    ['rul == 1', /unknown name "rul"; there are rule, device/],
    ['rule ==', /ends too early/],
    ['(queue', /expected "\)"/],
    ['queue < "x"', /< needs numbers, found "x"/],
    ['device =~ "("', /not a regular expression/],
    ['queue # 1', /cannot read "# 1" at position 6/],
    ['queue 1', /unexpected "1"/],
  ] as const) {
    const result = evaluateCondition(text, fields);
    assert.ok(!result.ok && expected.test(result.message), `${text}: ${result.ok ? 'accepted' : result.message}`);
  }
});

test('no text makes it throw', () => {
  const word = fc.constantFrom(
    'rule',
    'queue',
    '==',
    '&&',
    '||',
    '!',
    '(',
    ')',
    '"a"',
    '0x1',
    '=~',
    '<',
    'zzz',
    '&',
    "'",
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 30 }), (words) => void evaluateCondition(words.join(' '), fields)));
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => void evaluateCondition(text, fields)));
  assert.equal(evaluateCondition('('.repeat(1500), fields).ok, false);
});
