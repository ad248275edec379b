// Every rule has a violating and a conforming driver: the one is reported by exactly this rule, the other not at all; and what is
// reported never changes what the guest sees.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogue } from '../../../emulator/virtio/rules';
import type { Violation } from '../../../emulator/virtio/violation';
import { Bench } from '../../driver/bench';
import { ScriptedDriver } from '../../driver/driver';
import { administrationTwins } from './twins/administration';
import { bufferTwins } from './twins/buffers';
import { consumptionTwins } from './twins/consumption';
import { deviceTwins } from './twins/devices';
import { draftTwins } from './twins/draft-virtio30';
import { featureTwins } from './twins/features';
import { handshakeTwins } from './twins/handshake';
import { legacyTwins } from './twins/legacy';
import { packedTwins } from './twins/packed';
import { orderingTwins } from './twins/ordering';
import { netTwins } from './twins/net';
import { pciTwins, sharedPciTwins } from './twins/pci';
import { queueSetupTwins } from './twins/queue-setup';
import { registerTwins } from './twins/registers';
import { ringFeatureTwins } from './twins/ring-features';
import { ringTwins } from './twins/ring';
import { signalTwins } from './twins/signals';
import { oneBlockDevice, type Twin } from './twins/twin';
import { suspendTwins } from './twins/suspend';
import { waitingTwins } from './twins/waiting';

const twins: readonly Twin[] = [
  ...handshakeTwins,
  ...featureTwins,
  ...registerTwins,
  ...queueSetupTwins,
  ...legacyTwins,
  ...pciTwins,
  ...sharedPciTwins,
  ...draftTwins,
  ...ringTwins,
  ...packedTwins,
  ...orderingTwins,
  ...ringFeatureTwins,
  ...suspendTwins,
  ...administrationTwins,
  ...bufferTwins,
  ...consumptionTwins,
  ...signalTwins,
  ...deviceTwins,
  ...waitingTwins,
  ...netTwins,
];

const modes = {
  report: { must: 'report', should: 'report', hazard: 'report' },
  break: { must: 'break', should: 'break', hazard: 'break' },
  off: { '*': 'off', must: 'off', should: 'off', hazard: 'off' },
} as const;

interface Run {
  readonly bench: Bench;
  readonly violations: readonly Violation[];
  /** Violations that follow from no other. */
  readonly causes: readonly Violation[];
  readonly blamed: bigint | undefined;
}

function run(twin: Twin, wrong: boolean, mode: keyof typeof modes): Run {
  const options = (twin.bench ?? oneBlockDevice)(wrong);
  const bench = new Bench({ ...options, rules: { ...modes[mode], ...(mode === 'off' ? {} : options.rules) } });
  const blamed = twin.script(new ScriptedDriver(bench, twin.driver), wrong, bench);
  const { violations } = bench.monitor;
  const consequences = new Set(violations.flatMap((violation) => violation.consequences));
  return { bench, violations, causes: violations.filter(({ number }) => !consequences.has(number)), blamed };
}

/** What a list of violations says, without what legitimately differs between modes. */
function essence(violations: readonly Violation[]): unknown {
  return violations.map((violation) => ({ ...violation, beforeEffect: undefined, related: violation.related?.index }));
}

for (const rule of catalogue) {
  const own = twins.filter((twin) => twin.rule === rule.id);
  describe(rule.id, () => {
    test('has a twin', () =>
      assert.ok(own.length > 0, `no violating and conforming driver for ${rule.id}: ${rule.title}`));

    for (const twin of own) {
      test('a conforming driver is not reported', () => {
        const { violations } = run(twin, false, 'report');
        assert.deepEqual(violations.map(text), []);
      });

      test('a violating driver is reported by exactly this rule', () => {
        const { causes, blamed } = run(twin, true, 'report');
        assert.deepEqual(
          causes.map(({ rule: id }) => id),
          [rule.id],
          `${rule.title}; found ${causes.map(text).join(' | ')}`,
        );
        const [cause] = causes;
        assert.equal(cause?.level, rule.level);
        if (blamed !== undefined) assert.equal(hex(cause?.pc), hex(blamed), 'the blamed instruction');
      });

      test('it stops once, and in front of the access where that is to blame', () => {
        const { bench } = run(twin, true, 'break');
        assert.deepEqual(
          bench.stops.map(({ violation }) => violation.rule),
          [rule.id],
        );
        assert.equal(bench.stops[0]?.before, rule.blames === 'access');
        assert.equal(bench.stops[0]?.violation.beforeEffect, rule.blames === 'access');
      });

      test('reporting, stopping and silence leave the same guest and the same list', () => {
        const reported = run(twin, true, 'report');
        const stopped = run(twin, true, 'break');
        const silent = run(twin, true, 'off');
        assert.equal(stopped.bench.state(), reported.bench.state());
        assert.equal(silent.bench.state(), reported.bench.state());
        assert.deepEqual(essence(stopped.violations), essence(reported.violations));
        assert.deepEqual(silent.violations, []);
      });
    }
  });
}

test('no twin is for a rule that does not exist', () => {
  const ids = new Set(catalogue.map(({ id }) => id));
  assert.deepEqual(
    twins.map((twin) => twin.rule).filter((id) => !ids.has(id)),
    [],
  );
});

function text({ rule, message }: Violation): string {
  return `${rule}: ${message}`;
}
function hex(pc: bigint | undefined): string {
  return `0x${(pc ?? -1n).toString(16)}`;
}
