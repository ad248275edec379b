// Runs a guest without a debugger: its console, a dialogue with it, limits, and how it ended.
import { Machine, type MachineExit } from '../../emulator/machine';
import type { VirtioEvent } from '../../emulator/record/events';
import type { Violation } from '../../emulator/virtio/violation';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import type { PolicyEntry } from '../../emulator/virtio/watch/policy';
import type { ViolationReport } from '../debug/target';
import { Accessors } from '../worker/accessors';
import { disassembleRange } from '../worker/disassembly';
import { GuestSymbols } from '../worker/guest-symbols';
import { loadMachine } from '../worker/load-machine';
import { Pacer } from '../worker/pacer';
import type { Networks } from '../backends/network';
import { captureViolation, type CapturedViolation, reportViolation } from '../worker/violation-report';
import { unmetDevices } from '../worker/unmet-devices';
import type { Dialogue } from './dialogue';

export type Ending =
  | { readonly kind: 'power-off' | 'reset' | 'script-end' | 'violation' }
  | { readonly kind: 'fail'; readonly code: number }
  | {
      readonly kind: 'crash' | 'hang' | 'timeout' | 'instruction-limit' | 'expect-failed' | 'interrupted';
      readonly text: string;
    };

export interface HeadlessOptions {
  readonly configuration: LaunchConfiguration;
  readonly policy: readonly PolicyEntry[];
  readonly stopAtViolation: boolean;
  readonly dialogue: Dialogue | undefined;
  readonly maxInstructions: number | undefined;
  readonly timeoutSeconds: number | undefined;
  console(bytes: Uint8Array): void;
  note(text: string): void;
  event?(event: VirtioEvent): void;
  /** Asked between slices: whether the user wants to end the run. */
  interrupted?(): boolean;
}

export interface HeadlessResult {
  readonly ending: Ending;
  readonly violations: readonly ViolationReport[];
  readonly steps: number;
  readonly instructions: number;
  readonly events: number;
  readonly wallSeconds: number;
  readonly stateHash: () => string;
}

const sliceSteps = 1_000_000;
const longestWaitNanoseconds = 100_000_000;

export async function runHeadless(options: HeadlessOptions): Promise<HeadlessResult> {
  const { configuration } = options;
  const files = loadMachine(configuration);
  for (const note of files.notes) options.note(note);
  const symbols = new GuestSymbols(files.symbols);
  const captured = new Map<number, CapturedViolation>();
  const said: Uint8Array[] = [];
  let events = 0;
  let heard = false;
  const decoder = new TextDecoder('latin1');
  const machine: Machine = new Machine(files.machine, {
    output: (channel, bytes) => {
      if (files.networks.output(channel, bytes, machine.clock.now())) {
        // Answers land right behind what they answer; and no time is skipped while the host works for the guest.
        if (files.networks.hasInput || files.networks.isBusy) machine.requestStop();
        return;
      }
      said.push(bytes);
      // The machine comes back right behind the store that completed the match, so that the answer lands on that step.
      if (options.dialogue?.hear(decoder.decode(bytes)) === true) {
        heard = true;
        machine.requestStop();
      }
    },
    event: (event) => {
      events++;
      options.event?.(event);
    },
    violation: (violation) => capture(violation),
  });
  const accessors = new Accessors(configuration.accessors, (low, high) =>
    disassembleRange(machine, machine.cpu.turn, low, high),
  );
  const capture = (violation: Violation): void => {
    if (!captured.has(violation.number))
      captured.set(violation.number, captureViolation(machine, symbols, accessors, violation));
  };
  machine.monitor.policy.replace('launch', options.stopAtViolation ? options.policy : withoutBreaks(options.policy));

  const began = performance.now();
  const ending = await run(machine, files.networks, options, () => {
    // A guest writes byte by byte; a shell's pipe is better served with what a slice of the run has said.
    if (said.length > 0) options.console(Buffer.concat(said.splice(0)));
    const was = heard;
    heard = false;
    return was;
  });
  files.close();
  for (const text of unmetDevices(machine)) options.note(text);
  return {
    ending,
    violations: machine.monitor.violations.map((violation) => {
      const stack = captured.get(violation.number) ?? captureViolation(machine, symbols, accessors, violation);
      return reportViolation(violation, stack);
    }),
    steps: machine.steps,
    instructions: Array.from({ length: configuration.harts }, (_, hart) => machine.cpu.retired(hart)).reduce(
      (a, b) => a + b,
      0,
    ),
    events,
    wallSeconds: (performance.now() - began) / 1000,
    stateHash: () => machine.stateHash(),
  };
}

/** Continuing after every violation is the same as only reporting, and does not depend on how a stop is continued. */
function withoutBreaks(entries: readonly PolicyEntry[]): readonly PolicyEntry[] {
  const reported = entries.map((entry): PolicyEntry =>
    entry.action === 'break' ? { ...entry, action: 'report' } : entry,
  );
  return [{ pattern: '*', action: 'report' }, ...reported];
}

async function run(
  machine: Machine,
  networks: Networks,
  options: HeadlessOptions,
  heard: () => boolean,
): Promise<Ending> {
  const began = performance.now();
  const paced = options.configuration.clock === 'paced';
  const pacer = new Pacer();
  pacer.begin(0);
  networks.onArrival = () => pacer.wake();
  let waitingSince = began;
  let wasBusy = false;
  const dialogueEnded = (): Ending | undefined => {
    const { dialogue } = options;
    if (dialogue === undefined) return undefined;
    for (;;) {
      const progress = dialogue.next();
      if (progress.kind === 'done') return { kind: 'script-end' };
      if (progress.kind === 'waiting') return undefined;
      machine.input('uart0', progress.bytes);
      waitingSince = performance.now();
    }
  };
  const first = dialogueEnded();
  if (first !== undefined) return first;
  for (;;) {
    const limit = Math.min(machine.steps + sliceSteps, options.maxInstructions ?? Number.MAX_SAFE_INTEGER);
    for (const { channel, bytes } of networks.take()) machine.input(channel, bytes);
    // While the host works for the guest, time passes as on the host.
    const busy = networks.isBusy;
    if (busy && !wasBusy && !paced) pacer.begin(machine.clock.now());
    wasBusy = busy;
    const exit = machine.run({ untilStep: limit, skipIdle: !paced && !busy });
    if (heard()) {
      waitingSince = performance.now();
      const ended = dialogueEnded();
      if (ended !== undefined) return ended;
    }
    const ended = endingOf(exit);
    if (ended !== undefined) return ended;
    if (exit.kind === 'idle' && !networks.hasInput) {
      if (exit.dueNanoseconds === undefined && !busy) return hang(options);
      // Not without a look at the limits below.
      const due = Math.min(exit.dueNanoseconds ?? longestWaitNanoseconds, busy ? longestWaitNanoseconds : Infinity);
      machine.skipIdleTime(paced || busy ? await pacer.waitFor(machine.clock.now(), due) : due);
    }
    if (options.maxInstructions !== undefined && machine.steps >= options.maxInstructions) {
      return {
        kind: 'instruction-limit',
        text: `the guest did not end within ${options.maxInstructions} instructions`,
      };
    }
    const now = performance.now();
    if (options.timeoutSeconds !== undefined && now - began > options.timeoutSeconds * 1000) {
      return { kind: 'timeout', text: `the guest did not end within ${options.timeoutSeconds} s` };
    }
    const patience = options.dialogue?.timeoutSeconds;
    if (patience !== undefined && now - waitingSince > patience * 1000) {
      const waiting = options.dialogue?.next();
      return {
        kind: 'expect-failed',
        text: `"${waiting?.kind === 'waiting' ? waiting.for : ''}" did not come within ${patience} s`,
      };
    }
    if (options.interrupted?.() === true) return { kind: 'interrupted', text: 'interrupted' };
    if (paced) await pacer.holdBack(machine.clock.now());
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

function endingOf(exit: MachineExit): Ending | undefined {
  switch (exit.kind) {
    case 'finished':
      return exit.outcome;
    case 'violation':
      return { kind: 'violation' };
    case 'lost':
      return {
        kind: 'crash',
        text: `hart ${exit.hart} can only trap for ever: cause ${exit.cause} at pc 0x${exit.pc.toString(16)}, tval 0x${exit.tval.toString(16)}, and its handler cannot be fetched`,
      };
    default:
      return undefined;
  }
}

function hang(options: HeadlessOptions): Ending {
  const waiting = options.dialogue?.next();
  if (waiting?.kind === 'waiting')
    return { kind: 'expect-failed', text: `"${waiting.for}" never came: every hart waits and nothing is due` };
  return { kind: 'hang', text: 'every hart waits in wfi and nothing can wake it' };
}
