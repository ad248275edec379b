// One run of a real guest under moods, and what is wrong with it. Everything that is printed on any console counts as its answer.
import { runHeadless } from '../../../extension/cli/headless';
import { Dialogue, parseScript } from '../../../extension/cli/dialogue';
import type { ViolationReport } from '../../../extension/debug/target';
import { parseLaunchConfiguration } from '../../../extension/worker/parse-launch';
import type { MoodSwitch } from '../../../emulator/virtio/mood';
import { type GuestName, isBeyond, isTrue } from './alarms';

/** One cell of the table: a guest, the machine around it, and how its devices behave. */
export interface MoodRun {
  readonly name: string;
  readonly guest: GuestName;
  readonly moods: readonly MoodSwitch[];
  readonly seed: number;
  readonly harts: number;
  /** The launch configuration without devices. */
  readonly launch: Readonly<Record<string, unknown>>;
  /** Each with its name, type and own attributes. */
  readonly devices: readonly (Readonly<Record<string, unknown>> & { readonly name: string; readonly type: string })[];
  /** Text of a dialogue with the serial console, where the guest wants one. */
  readonly script?: string;
  /** What the consoles have to show. */
  readonly wanted: readonly RegExp[];
  readonly ending: 'power-off' | 'script-end';
  /** What a guest prints that rightly gives a device up, or cannot do without something; then nothing else is wanted. */
  readonly mayGiveUp?: RegExp;
  /** True alarms behind which nothing else is wanted: by its own mistake the guest may have lost what it waits for. */
  readonly mayStopAfter?: readonly string[];
  /** A guest that does not end sooner hangs. */
  readonly greatestSteps?: number;
}

export interface MoodResult {
  /** Empty: all is well. */
  readonly shortcomings: readonly string[];
  /** Alarms that are not known to be true. */
  readonly alarms: readonly ViolationReport[];
  /** Rules of the alarms that are. */
  readonly known: readonly string[];
  readonly steps: number;
  readonly seconds: number;
  readonly console: string;
}

const usualSteps = 3_000_000_000;
const patienceSeconds = 240;

export async function runUnderMoods(run: MoodRun): Promise<MoodResult> {
  const configuration = parseLaunchConfiguration(
    {
      type: 'virtio',
      request: 'launch',
      name: run.name,
      clock: 'warp',
      harts: run.harts,
      seed: run.seed,
      ...run.launch,
      devices: run.devices.map((device) => ({
        ...device,
        mood: Object.fromEntries(
          run.moods.filter((mood) => !isBeyond(run.guest, device.type, mood)).map((mood) => [mood, true]),
        ),
      })),
    },
    { resolvePath: (file) => file, mayWriteFiles: true },
  );
  const texts: string[] = [];
  const result = await runHeadless({
    configuration,
    policy: [],
    stopAtViolation: false,
    dialogue: run.script === undefined ? undefined : new Dialogue(parseScript(run.name, run.script)),
    maxInstructions: run.greatestSteps ?? usualSteps,
    timeoutSeconds: patienceSeconds,
    console: (bytes) => texts.push(Buffer.from(bytes).toString('latin1')),
    note: () => undefined,
  });
  const console = texts.join('');
  const typeOf = new Map(run.devices.map(({ name, type }) => [name, type]));
  const knownAlarm = ({ rule, device }: ViolationReport): boolean =>
    isTrue(run.guest, rule, typeOf.get(device) ?? '', run.moods) !== undefined;
  const { ending } = result;
  const gaveUp =
    run.mayGiveUp?.test(console) === true || result.violations.some(({ rule }) => run.mayStopAfter?.includes(rule));
  return {
    shortcomings: gaveUp
      ? []
      : [
          ...run.wanted.filter((each) => !each.test(console)).map((each) => `the consoles lack ${String(each)}`),
          ...(ending.kind === run.ending
            ? []
            : [`it ended with ${'text' in ending ? `${ending.kind}: ${ending.text}` : ending.kind}`]),
        ],
    alarms: result.violations.filter((violation) => !knownAlarm(violation)),
    known: [...new Set(result.violations.filter(knownAlarm).map(({ rule }) => rule))],
    steps: result.steps,
    seconds: result.wallSeconds,
    console,
  };
}
