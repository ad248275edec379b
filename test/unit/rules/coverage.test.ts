// The catalogue's texts and its coverage of the specification: nothing is left without a rule or a reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, familyNames } from '../../../emulator/virtio/rules';
import { ancestorCoverage, countCoverage, statementCoverage } from '../../../emulator/virtio/rules/coverage';
import { reasons } from '../../../emulator/virtio/rules/coverage-reasons';
import { rulesJson, rulesMarkdown } from '../../../emulator/virtio/rules/coverage-text';
import { publishedSpecification } from '../../../emulator/virtio/rules/links';
import { ancestorBehaviours, ancestorChecks, statements } from '../../../emulator/virtio/spec/statements';

const lines = [...statementCoverage('target'), ...statementCoverage('advisory'), ...ancestorCoverage()];

test('the tables hold what virtio 1.4 and the ancestors have', () => {
  assert.equal(statements.length, 1570);
  assert.equal(statementCoverage('target').length, 465);
  assert.equal(statementCoverage('advisory').length, 122);
  assert.equal(ancestorChecks.length, 100);
  assert.equal(ancestorBehaviours.length, 136);
  assert.equal(new Set(statements.map(({ id }) => id)).size, statements.length);
});

test('every statement and every check has a rule or a reason', () => {
  const open = lines.filter(({ rules, reason }) => rules.length === 0 && reason === undefined);
  assert.deepEqual(
    open.map(({ subject }) => subject.id),
    [],
  );
});

test('no reason is given for what has a rule, and none is about nothing', () => {
  const ruled = new Set(lines.filter(({ rules }) => rules.length > 0).map(({ subject }) => subject.id));
  assert.deepEqual(
    reasons.map(({ pattern }) => pattern).filter((pattern) => ruled.has(pattern)),
    [],
  );
  const used = new Set(lines.map(({ reason }) => reason));
  assert.deepEqual(
    reasons.filter((reason) => !used.has(reason)).map(({ pattern }) => pattern),
    [],
  );
});

test('what rules cover exists', () => {
  const known = new Set([...statements.map(({ id }) => id), ...ancestorChecks.map(({ id }) => id)]);
  for (const { id, covers, ancestors } of catalogue) {
    for (const name of [...covers, ...ancestors])
      assert.ok(known.has(name), `${id} covers ${name}, which is in no table`);
  }
});

test('coverage does not shrink', () => {
  assert.ok(countCoverage(statementCoverage('target')).ruled >= 66);
  assert.ok(countCoverage(ancestorCoverage()).ruled >= 80);
});

for (const area of ['core', 'mmio', 'split', 'packed']) {
  test(`of area ${area} only what needs provocation, ordering or a later part is open`, () => {
    const open = statementCoverage('target').filter(
      ({ subject, rules }) => subject.area === area && rules.length === 0,
    );
    for (const { subject, reason } of open) {
      assert.match(
        reason?.why ?? '',
        /^planned: |no IOMMU|stays inside the driver|one administration virtqueue|looks like a guest without a driver|has to keep flags at 0/,
        subject.id,
      );
    }
  });
}

for (const rule of catalogue) {
  test(`${rule.id} is written out`, () => {
    assert.match(rule.id, /^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.equal(catalogue.filter(({ id }) => id === rule.id).length, 1);
    assert.ok(familyNames.includes(rule.family));
    for (const text of [rule.why, rule.fix]) assert.match(text, /^[A-Z].*\.$/, `${rule.id}: "${text}" is no sentence`);
    assert.match(rule.title, /^[A-Z].*[^.]$/);
    assert.ok(rule.title.length <= 90, `the title has ${rule.title.length} letters`);
    assert.ok(rule.link.startsWith(`${publishedSpecification}#x1-`), `section ${rule.section} has an anchor`);
    assert.ok(rule.on.length > 0);
    const follows = rule.follows.filter(
      (name) => !catalogue.some(({ id, family }) => id === name || `${family}.*` === name),
    );
    assert.deepEqual(follows, [], 'it follows rules that exist');
  });
}

test('the documents name every rule', () => {
  const markdown = rulesMarkdown();
  const json = JSON.parse(rulesJson()) as { rules: readonly { id: string }[]; statements: readonly unknown[] };
  for (const { id } of catalogue) assert.ok(markdown.includes(`\`${id}\``), id);
  assert.deepEqual(
    json.rules.map(({ id }) => id),
    catalogue.map(({ id }) => id),
  );
  assert.equal(json.statements.length, 465);
  assert.doesNotMatch(markdown, /\[object|`undefined`|: undefined/);
});
