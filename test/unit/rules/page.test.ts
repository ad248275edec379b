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

test('explanations do not become fewer', () => {
  assert.ok(explainedRules.length >= 140, `${explainedRules.length} of ${catalogue.length} rules are explained`);
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
