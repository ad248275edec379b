// The script language of `ringside run --script`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dialogue, parseScript, parseSend } from '../../../extension/cli/dialogue';
import { UsageError } from '../../../extension/cli/options';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test('expect searches what came after the previous match', () => {
  const dialogue = new Dialogue(parseScript('s', 'expect login:\nsend root\\r\nexpect login:\n'));
  assert.deepEqual(dialogue.next(), { kind: 'waiting', for: 'login:' });
  assert.equal(dialogue.hear('welcome\nlog'), false);
  assert.equal(dialogue.hear('in: '), true);
  const sent = dialogue.next();
  assert.ok(sent.kind === 'send' && text(sent.bytes) === 'root\r');
  assert.deepEqual(dialogue.next(), { kind: 'waiting', for: 'login:' });
  assert.equal(dialogue.hear('Last login: today'), true);
  assert.deepEqual(dialogue.next(), { kind: 'done' });
});

test('output that comes by characters is searched as a whole, and long matches at the end of their line', () => {
  const dialogue = new Dialogue(parseScript('s', 'expect ^begin[^]*end\\b\nexpect x{3}$\n'));
  assert.equal(dialogue.next().kind, 'waiting');
  const hear = (text: string): number => Array.from(text).findIndex((character) => dialogue.hear(character));
  assert.equal(hear(`begin ${'-'.repeat(5000)}`), -1);
  // The tail alone would match, if it were taken for the beginning.
  assert.equal(hear('end of it'), -1);
  assert.equal(hear('\n'), 0);
  assert.equal(dialogue.next().kind, 'waiting');
  assert.equal(hear(`${'y'.repeat(3000)}xxx`), 3002);
  assert.equal(dialogue.next().kind, 'done');
});

test('comments and empty lines mean nothing; timeout holds for the expects behind it', () => {
  const dialogue = new Dialogue(parseScript('s', '# hello\n\n  timeout 2.5\n  expect x\n'));
  assert.equal(dialogue.next().kind, 'waiting');
  assert.equal(dialogue.timeoutSeconds, 2.5);
});

test('escapes become bytes', () => {
  assert.deepEqual([...parseSend('s', 'a\\r\\n\\x1b\\\\ü')], [97, 13, 10, 27, 92, 0xc3, 0xbc]);
});

test('mistakes name the line', () => {
  for (const [script, expected] of [
    ['expct x', /s:1: found "expct"/],
    ['\nexpect (', /s:2: "\(" is not a regular expression/],
    ['timeout never', /s:1: found "timeout never"/],
    ['send \\q', /s:1: found "\\q"/],
    ['expect', /s:1: expect needs a regular expression/],
  ] as const) {
    assert.throws(
      () => parseScript('s', script),
      (error) => error instanceof UsageError && expected.test(error.message),
      script,
    );
  }
});
