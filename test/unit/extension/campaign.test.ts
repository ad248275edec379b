// A campaign: seeds choose moods, a violation is new once, and its seed shows it again. Reports for other tools. [design: command line]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenBySeeds, chooseMoods, runCampaign } from '../../../extension/cli/campaign';
import type { HeadlessResult } from '../../../extension/cli/headless';
import { reproduceCommand } from '../../../extension/cli/reproduce';
import { parseRun } from '../../../extension/cli/options';
import { jsonReport, textReport } from '../../../extension/cli/report';
import { junitReport, sarifReport } from '../../../extension/cli/sarif';
import type { ViolationReport } from '../../../extension/debug/target';

const { configuration } = parseRun(['--device', 'entropy,mood=canary', '--device', 'console', '--seed', '5', '/k']);

function violation(rule: string, pc: bigint): ViolationReport {
  return {
    number: 0,
    rule,
    title: 'A <title> & more',
    level: 'must',
    family: 'ring',
    section: '2.7',
    link: 'https://example.org/#2.7',
    statements: [],
    why: 'Because.',
    fix: 'Do it right.',
    blames: 'access',
    device: 'entropy0',
    queue: 0,
    hart: 0,
    pc,
    step: 1,
    foundAtStep: 1,
    virtualNanoseconds: 1,
    count: 2,
    beforeEffect: false,
    message: 'It was wrong.',
    evidence: [],
    source: { file: '/src/a b.c', line: 7 },
    function: 'submit',
    stack: [],
    blamedFrame: 0,
    related: undefined,
    consequences: [],
  };
}

function ended(violations: readonly ViolationReport[]): HeadlessResult {
  const counts = { steps: 1, instructions: 1, events: 0, wallSeconds: 0.5 };
  return { ending: { kind: 'power-off' }, violations, ...counts, stateHash: () => '' };
}

test('a seed always chooses the same moods, other seeds others, and the configured ones stay', () => {
  const moodsOf = (seed: number): string => JSON.stringify(chooseMoods(configuration, seed).map(({ mood }) => mood));
  assert.equal(moodsOf(7), moodsOf(7));
  const all = Array.from({ length: 50 }, (_, seed) => chooseMoods(configuration, seed));
  assert.ok(new Set(all.map((devices) => JSON.stringify(devices))).size > 40);
  assert.ok(all.every(([entropy]) => entropy?.mood.includes('canary')));
  assert.ok(
    all.every((devices) =>
      devices.every(({ mood }) => !mood.includes('refusedFeatures') && !mood.includes('needsReset')),
    ),
  );
});

test('what is new is listed once, with the first seed that shows it', async () => {
  const results = [
    [violation('ring.a', 1n)],
    [violation('ring.a', 1n)],
    [violation('ring.a', 1n), violation('ring.b', 2n)],
    [violation('ring.b', 2n), violation('ring.b', 3n)],
  ];
  const notes: string[] = [];
  let run = 0;
  const campaign = await runCampaign(
    configuration,
    3,
    () => Promise.resolve(ended(results[run++] ?? [])),
    (text) => notes.push(text),
    (run) =>
      reproduceCommand(
        ['--seed', '5', '--device', 'entropy,mood=canary', '--device=console', '--campaign=3', "it's"],
        run,
      ),
  );
  assert.deepEqual(
    campaign.violations.map(({ violation: { rule, pc }, seed }) => [rule, pc, seed]),
    [
      ['ring.a', 1n, 5],
      ['ring.b', 2n, 7],
      ['ring.b', 3n, 8],
    ],
  );
  assert.deepEqual(
    campaign.runs.map(({ seed, fresh }) => [seed, fresh]),
    [
      [5, 1],
      [6, 0],
      [7, 1],
      [8, 1],
    ],
  );
  assert.equal(notes.length, 4);
  const result = { ...campaign.first, violations: campaign.violations.map((one) => one.violation) };
  const input = { guest: 'k', exitStatus: 1, result, campaign };
  assert.match(textReport(input), /seen with: --seed 7, mood entropy0: .*canary.*; console0: /);
  assert.match(
    textReport(input),
    /again: ringside run --seed 7 --device entropy,mood=\S*canary\S* --device console\S* 'it'\\''s'/,
  );
  assert.match(junitReport(input), /again: ringside run --seed 7/);
  assert.match(sarifReport(input), /"seed": 7/);
  const json = JSON.parse(jsonReport(input)) as { campaign: unknown[]; violations: { seed: number }[] };
  assert.equal(json.campaign.length, 4);
  assert.deepEqual(
    json.violations.map(({ seed }) => seed),
    [5, 7, 8],
  );
});

test('SARIF names each rule once and leads to the line', () => {
  const result = ended([violation('ring.a', 1n), violation('ring.a', 2n)]);
  const log = JSON.parse(sarifReport({ guest: 'k', exitStatus: 1, result })) as {
    version: string;
    runs: {
      tool: { driver: { rules: { id: string }[] } };
      results: {
        level: string;
        locations: { physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } } }[];
      }[];
    }[];
  };
  assert.equal(log.version, '2.1.0');
  const [run] = log.runs;
  assert.deepEqual(
    run?.tool.driver.rules.map(({ id }) => id),
    ['ring.a'],
  );
  assert.equal(run?.results.length, 2);
  assert.equal(run?.results[0]?.level, 'error');
  const place = run?.results[0]?.locations[0]?.physicalLocation;
  assert.equal(place?.artifactLocation.uri, 'file:///src/a%20b.c');
  assert.equal(place?.region.startLine, 7);
});

test('JUnit has a case for the end and one for each violation, in well-formed XML', () => {
  const xml = junitReport({ guest: 'k<1>', exitStatus: 1, result: ended([violation('ring.a', 1n)]) });
  assert.match(xml, /<testsuite name="k&lt;1&gt;" tests="2" failures="1"/);
  assert.match(xml, /message="A &lt;title&gt; &amp; more"/);
  assert.equal((xml.match(/<testcase /g) ?? []).length, 2);
  assert.doesNotMatch(xml, /&(?!amp;|lt;|gt;|quot;)/);
});

test('a hang that only some seeds show is in every report, with the command that shows it', async () => {
  let run = 0;
  const campaign = await runCampaign(
    configuration,
    2,
    () =>
      Promise.resolve(run++ === 1 ? { ...ended([]), ending: { kind: 'hang', text: 'nothing wakes it' } } : ended([])),
    () => undefined,
    ({ seed }) => `ringside run --seed ${seed}`,
  );
  assert.deepEqual(
    brokenBySeeds(campaign).map(({ seed }) => seed),
    [6],
  );
  const input = { guest: 'k', exitStatus: 3, result: campaign.first, campaign };
  assert.match(textReport(input), /seed 6, mood .*: hang: nothing wakes it\n {4}again: ringside run --seed 6\n/);
  assert.match(textReport(input), /3 runs, the first as configured, 1 ended badly/);
  assert.match(junitReport(input), /tests="2" failures="1"/);
  assert.match(
    junitReport(input),
    /the guest ends with seed 6"><failure message="hang: nothing wakes it">ringside run --seed 6</,
  );
  assert.match(sarifReport(input), /"executionSuccessful": false/);
  assert.match(jsonReport(input), /"ending": "hang: nothing wakes it"/);
});
