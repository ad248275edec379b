// The table from patterns to break, report and off: what is most specific wins, and mistakes are named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, ruleById } from '../../../emulator/virtio/rules';
import { parsePolicy, type PolicyAction, RulePolicy } from '../../../emulator/virtio/watch/policy';

const rule = (id: string): NonNullable<ReturnType<typeof ruleById>> => {
  const found = ruleById(id);
  assert.ok(found, `the catalogue has ${id}`);
  return found;
};

/** What a table says about one violation. */
function decide(spec: string | Record<string, string>, id: string, device = 'vda', pc = 0x80001000n): PolicyAction {
  const { entries, problems } = parsePolicy(spec, catalogue);
  assert.deepEqual(problems, []);
  return new RulePolicy(catalogue, entries).decide(rule(id), device, pc).action;
}

test('by default a must breaks, a should and a hazard are reported', () => {
  assert.equal(decide('', 'status.bit-cleared'), 'break');
  assert.equal(decide('', 'status.reset-not-read-back'), 'report');
  assert.equal(decide('', 'split.zero-length'), 'report');
});

for (const [spec, expected] of [
  ['*=off', 'off'],
  ['must=report,*=off', 'report'],
  ['status.*=off,must=report', 'off'],
  ['handshake=report,status.*=off', 'report'],
  ['handshake.*=report', 'report'],
  ['status.bit-cleared=off,handshake=report', 'off'],
  ['status.bit-cleared=off,must@vda=report', 'report'],
  ['status.bit-cleared@vdb=off', 'break'],
  ['*@0x80001000=report,status.bit-cleared@vda=off', 'report'],
  ['*@0x80001004=report', 'break'],
  ['status.bit-cleared=off,status.bit-cleared=report', 'report'],
  ['must=report, must=off', 'off'],
] as const) {
  test(`${spec} makes a cleared status bit ${expected}`, () =>
    assert.equal(decide(spec, 'status.bit-cleared'), expected));
}

test('the launch attribute is the same table', () => {
  assert.equal(decide({ must: 'report', 'split.*': 'off' }, 'split.chain-endless'), 'off');
  assert.equal(decide({ must: 'report', 'split.*': 'off' }, 'status.bit-cleared'), 'report');
});

test('patterns of families without rules yet are accepted', () => {
  assert.deepEqual(parsePolicy('must=report,ordering.*=off', catalogue).problems, []);
});

for (const [spec, expected] of [
  ['status.bit-cleard=off', /"status\.bit-cleard" matches no rule, family or level; near names: "status\.bit-cleared"/],
  ['handshak=off', /"handshak" .*near names: "handshake"/],
  ['xyzzy.*=off', /"xyzzy\.\*" matches no rule.*families are handshake, /],
  ['must=stop', /"must" needs one of break, report, off, found "stop"/],
  ['must', /"must" needs one of break, report, off, found nothing/],
  ['must@=off', /"must@" is incomplete/],
  ['=off', /is incomplete/],
  ['must@0xzz=off', /has the pc "0xzz", expected 0x and up to 16 hexadecimal digits/],
] as const) {
  test(`${spec} is refused`, () => {
    const { entries, problems } = parsePolicy(spec, catalogue);
    assert.deepEqual(entries, []);
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.message ?? '', expected);
  });
}

test('a value that is no text is refused by name', () => {
  const { problems } = parsePolicy({ must: 3 }, catalogue);
  assert.match(problems[0]?.message ?? '', /"must" needs one of break, report, off, found 3/);
});

test('every rule, family and level can be named', () => {
  const names = [
    'must',
    'should',
    'hazard',
    '*',
    ...catalogue.flatMap(({ id, family }) => [id, family, `${family}.*`]),
  ];
  for (const name of names) assert.deepEqual(parsePolicy(`${name}=off`, catalogue).problems, [], name);
});

test('rows are replaced by scope and source, and a mute can be taken back', () => {
  const policy = new RulePolicy(catalogue);
  const before = policy.entries.length;
  policy.set({ pattern: 'status.bit-cleared', device: 'vda', action: 'report', source: 'mute' });
  policy.set({ pattern: 'status.bit-cleared', device: 'vda', action: 'off', source: 'mute' });
  assert.equal(policy.entries.length, before + 1);
  assert.equal(policy.decide(rule('status.bit-cleared'), 'vda', 0n).action, 'off');
  assert.equal(policy.decide(rule('status.bit-cleared'), 'vdb', 0n).action, 'break');
  assert.equal(
    policy.remove((entry) => entry.source === 'mute'),
    1,
  );
  assert.equal(policy.decide(rule('status.bit-cleared'), 'vda', 0n).action, 'break');
  policy.replace('filter', [{ pattern: 'handshake', action: 'report' }]);
  policy.replace('filter', [{ pattern: 'ring', action: 'off' }]);
  assert.equal(policy.actionOf('status.bit-cleared'), 'break');
  assert.equal(policy.actionOf('split.chain-endless'), 'off');
});

test('asking for a rule that does not exist names near ones', () => {
  assert.throws(
    () => new RulePolicy(catalogue).actionOf('status.bit-clear'),
    /no rule has the id.*status\.bit-cleared/,
  );
});
