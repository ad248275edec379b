// The pages of the rules: every explanation belongs to a rule, is written out, and shows on the rule's page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, ruleById } from '../../../emulator/virtio/rules';
import { explainedRules, explanationOf } from '../../../emulator/virtio/rules/explanations';
import { rulePage } from '../../../emulator/virtio/rules/page';

test('every explanation belongs to a rule, and to one only', () => {
  assert.deepEqual(
    explainedRules.filter((id) => ruleById(id) === undefined),
    [],
  );
  assert.equal(new Set(explainedRules).size, explainedRules.length);
});

test('every rule is explained', () => {
  const missing = catalogue.filter((rule) => explanationOf(rule.id) === undefined).map((rule) => rule.id);
  assert.deepEqual(missing, [], 'write what is demanded, what goes wrong where, and both drivers: rules/explanations/');
});

test('excerpts are balanced C', () => {
  for (const id of explainedRules) {
    const explanation = explanationOf(id);
    for (const excerpt of [explanation?.wrong ?? '', explanation?.right ?? '']) {
      const code = excerpt.replaceAll(/\/\*.*?\*\//gs, '');
      for (const [open, close] of [
        ['(', ')'],
        ['{', '}'],
        ['[', ']'],
      ] as const) {
        assert.equal(code.split(open).length, code.split(close).length, `${id}: ${open}${close} in ${excerpt}`);
      }
      assert.match(code.trim(), /[;}]$/, `${id}: ${excerpt}`);
    }
  }
});

for (const id of explainedRules) {
  test(`${id} is explained in whole sentences, with two different drivers`, () => {
    const explanation = explanationOf(id);
    assert.ok(explanation);
    for (const text of [explanation.demanded, explanation.hardware]) assert.match(text, /^[A-Zauw].*\.$/, text);
    assert.notEqual(explanation.wrong, explanation.right);
    for (const excerpt of [explanation.wrong, explanation.right]) assert.doesNotMatch(excerpt, /\$\{|^\s*$/);
  });
}

test('every rule has a page with its sections, and its links lead to rules', () => {
  for (const rule of catalogue) {
    const page = rulePage(rule, catalogue);
    assert.ok(page.startsWith(`# ${rule.title}\n`));
    for (const text of [rule.why, rule.fix, rule.link]) assert.ok(page.includes(text), rule.id);
    const explanation = explanationOf(rule.id);
    if (explanation !== undefined) assert.ok(page.includes(`\`\`\`c\n${explanation.wrong}\n\`\`\``), rule.id);
    for (const [, linked = ''] of page.matchAll(/\]\(([a-z0-9.-]+)\.md\)/g)) assert.ok(ruleById(linked), linked);
    assert.doesNotMatch(page, /`undefined`|: undefined|\[object/);
  }
});
