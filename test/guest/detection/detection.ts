// Mistakes that real drivers made, repeated by scripted drivers: what each one does, the rule that has to name it, and a twin that differs
// in nothing but the correction. The ids are those of the collection of 115 bugs behind docs/detection.md.
import { Bench } from '../../driver/bench';
import { ScriptedDriver } from '../../driver/driver';
import { oneBlockDevice, type Twin } from '../../unit/rules/twins/twin';
import type { Violation } from '../../../emulator/virtio/violation';

/** A bug of the collection as a script. */
export interface Detection extends Twin {
  /** Id in the collection. */
  readonly bug: string;
  /** What the faulty driver does, in one clause. */
  readonly does: string;
}

export interface DetectionRun {
  readonly detection: Detection;
  /** Violations of the faulty driver that follow from no other. */
  readonly causes: readonly Violation[];
  /** Whatever the corrected driver was reported for. */
  readonly falseAlarms: readonly Violation[];
}

export function runDetection(detection: Detection): DetectionRun {
  const faulty = violationsOf(detection, true);
  const consequences = new Set(faulty.flatMap((violation) => violation.consequences));
  return {
    detection,
    causes: faulty.filter(({ number }) => !consequences.has(number)),
    falseAlarms: violationsOf(detection, false),
  };
}

function violationsOf(detection: Detection, wrong: boolean): readonly Violation[] {
  const options = (detection.bench ?? oneBlockDevice)(wrong);
  const bench = new Bench({ ...options, rules: { '*': 'report', ...options.rules } });
  detection.script(new ScriptedDriver(bench, detection.driver), wrong, bench);
  return bench.monitor.violations;
}
