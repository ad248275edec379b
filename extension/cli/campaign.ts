// `ringside run --campaign N`: the guest once as configured, then under N seeds, each with its own combination of moods. What is new under
// a seed is kept with that seed, so that one command shows it again. [design: command line]
import type { DeviceEntry, LaunchConfiguration } from '../debug/launch-configuration';
import type { ViolationReport } from '../debug/target';
import { type MoodSwitch, moodTable } from '../../emulator/virtio/mood';
import { RandomSequence } from '../../emulator/virtio/random-sequence';
import type { Ending, HeadlessResult } from './headless';

/** One run of a campaign. */
export interface CampaignRun {
  readonly seed: number;
  /** Device name and the switches that are on. */
  readonly moods: Readonly<Record<string, readonly MoodSwitch[]>>;
  readonly ending: Ending;
  /** How many violations no earlier run had. */
  readonly fresh: number;
  /** A command line that repeats this run. */
  readonly command: string;
}

export interface CampaignViolation {
  readonly violation: ViolationReport;
  readonly seed: number;
  readonly moods: CampaignRun['moods'];
  readonly command: string;
}

export interface CampaignResult {
  readonly runs: readonly CampaignRun[];
  readonly violations: readonly CampaignViolation[];
  /** The run as configured. */
  readonly first: HeadlessResult;
}

/** A driver may rightly give up a device that refuses its features or breaks down, so that a campaign does not choose these. */
const notChosen: readonly MoodSwitch[] = ['refusedFeatures', 'needsReset'];
/** One switch in so many is on. */
const oneIn = 3;

/** The moods of each device under a seed: those of the configuration, and others by chance. */
export function chooseMoods({ devices }: LaunchConfiguration, seed: number): readonly DeviceEntry[] {
  return devices.map((device) => {
    const sequence = new RandomSequence(seed, `${device.name} campaign`);
    const chosen = moodTable
      .map(({ name }) => name)
      .filter((name) => {
        const [byte = 0] = sequence.bytes(1);
        return device.mood.includes(name) || (byte % oneIn === 0 && !notChosen.includes(name));
      });
    return { ...device, mood: chosen };
  });
}

/** The same mistake at the same place, whichever run shows it. */
export function sameMistake({ rule, device, queue, pc }: ViolationReport): string {
  return `${rule} ${device} ${queue ?? '-'} ${pc}`;
}

/**
 * @param commandOf the command line that repeats a run
 * @param run one run of the guest; `isFirst`: the run as configured, whose console is shown
 */
export async function runCampaign(
  configuration: LaunchConfiguration,
  seeds: number,
  run: (configuration: LaunchConfiguration, isFirst: boolean) => Promise<HeadlessResult>,
  note: (text: string) => void,
  commandOf: (run: Pick<CampaignRun, 'seed' | 'moods'>) => string,
): Promise<CampaignResult> {
  const first = await run(configuration, true);
  const runs: CampaignRun[] = [];
  const violations: CampaignViolation[] = [];
  const known = new Set<string>();
  const take = (result: HeadlessResult, { seed, devices }: LaunchConfiguration): CampaignRun => {
    const moods = Object.fromEntries(devices.map(({ name, mood }) => [name, mood]));
    const fresh = result.violations.filter((violation) => !known.has(sameMistake(violation)));
    const command = commandOf({ seed, moods });
    for (const violation of fresh) {
      known.add(sameMistake(violation));
      violations.push({ violation, seed, moods, command });
    }
    return { seed, moods, ending: result.ending, fresh: fresh.length, command };
  };
  runs.push(take(first, configuration));
  for (let i = 1; i <= seeds; i++) {
    const seed = (configuration.seed + i) >>> 0;
    const inMood = { ...configuration, seed, devices: chooseMoods(configuration, seed) };
    const result = await run(inMood, false);
    const done = take(result, inMood);
    runs.push(done);
    if (done.fresh > 0 || result.ending.kind !== first.ending.kind) {
      note(`seed ${seed} (${moodText(done.moods)}): ${done.fresh} new violations, ${endingText(result.ending)}`);
      note(`  again: ${done.command}`);
    }
    if (result.ending.kind === 'interrupted') break;
  }
  return { runs, violations, first };
}

/** What an ending is called, with what is known of it. */
export function endingText(ending: Ending): string {
  if ('text' in ending) return `${ending.kind}: ${ending.text}`;
  return ending.kind === 'fail' ? `fail, code ${ending.code}` : ending.kind;
}

/** Whether the guest did not end as a guest should. */
export function isBadEnding(ending: Ending): boolean {
  return 'text' in ending || ending.kind === 'fail';
}

/** Runs under other seeds that ended badly although the run as configured did not. */
export function brokenBySeeds({ runs, first }: Pick<CampaignResult, 'runs' | 'first'>): readonly CampaignRun[] {
  return isBadEnding(first.ending) ? [] : runs.filter(({ ending }) => isBadEnding(ending));
}

/** `vda: slowReset+canary; console0: none`, as `--device` takes it. */
export function moodText(moods: CampaignRun['moods']): string {
  const texts = Object.entries(moods).map(([name, mood]) => `${name}: ${mood.length === 0 ? 'none' : mood.join('+')}`);
  return texts.length === 0 ? 'no devices' : texts.join('; ');
}
