// Boots the Linux guest on Ringside, with every rule reporting, and talks to it on its virtio console.
import { loadMachine } from '../../../extension/worker/load-machine';
import { Accessors } from '../../../extension/worker/accessors';
import { disassembleRange } from '../../../extension/worker/disassembly';
import { GuestSymbols } from '../../../extension/worker/guest-symbols';
import { parseLaunchConfiguration } from '../../../extension/worker/parse-launch';
import { captureViolation, reportViolation } from '../../../extension/worker/violation-report';
import type { ViolationReport } from '../../../extension/debug/target';
import type { Symbols } from '../../../extension/symbols';
import { Machine } from '../../../emulator/machine';
import type { TransportName } from '../../../emulator/virtio/spec/feature';
import type { LinuxGuest } from './guest';

export interface Boot {
  readonly name: string;
  /** `builtin` or a firmware file. */
  readonly bios: string;
  readonly harts: number;
  /** Where the root file system is: the initramfs, or the virtio disk. */
  readonly root: 'initramfs' | 'disk';
  /** Further words for the kernel's command line. */
  readonly words?: string;
  /** Whether hot code is compiled; on by default. */
  readonly compiler?: 'on' | 'off';
  /** The interrupt controller; a PLIC unless it says otherwise. */
  readonly aia?: 'aplic' | 'aplic-imsic';
  /** Of every device; mmio unless it says otherwise. */
  readonly transport?: TransportName;
  /** Of every device; split unless it says otherwise. */
  readonly ring?: 'split' | 'packed';
  /** Switches of every device, as in a launch configuration. */
  readonly features?: readonly string[];
}

export interface BootResult {
  /** What the serial port printed. */
  readonly console: string;
  /** What the virtio console printed. */
  readonly virtioConsole: string;
  /** How the guest ended; undefined: not within the limit. */
  readonly ending: string | undefined;
  readonly violations: readonly ViolationReport[];
  readonly steps: number;
  readonly events: number;
  readonly stateHash: string;
  readonly seconds: number;
}

/** A guest that does not end sooner hangs. */
const greatestSteps = 6_000_000_000;
const greatestNanoseconds = 60e9;
const sliceSteps = 1_000_000;
const consoleName = 'console0';
/** What the guest says on its virtio console when it listens, and what it is told. */
const echoDialogue = { ready: 'CONSOLE-READY', line: 'a line for the guest' } as const;

export function commandLine(boot: Boot): string {
  const root = boot.root === 'disk' ? 'root=/dev/vda rw init=/init' : '';
  return ['console=ttyS0', root, boot.words ?? ''].filter((words) => words !== '').join(' ');
}

/** @param symbols of `vmlinux`, if violations are to be shown with lines */
export function bootLinux(
  guest: Pick<LinuxGuest, 'image' | 'initrd' | 'disk'>,
  boot: Boot,
  symbols: readonly Symbols[] = [],
): BootResult {
  const rings = { transport: boot.transport ?? 'mmio', ring: boot.ring ?? 'split', features: boot.features ?? [] };
  const configuration = parseLaunchConfiguration(
    {
      type: 'virtio',
      request: 'launch',
      name: boot.name,
      kernel: guest.image,
      bios: boot.bios,
      harts: boot.harts,
      append: commandLine(boot),
      memory: '256M',
      ...(boot.aia !== undefined && { aia: boot.aia }),
      clock: 'warp',
      ...(boot.root === 'initramfs' && { initrd: guest.initrd }),
      devices: [
        { type: 'block', name: 'vda', image: guest.disk, mode: 'overlay', ...rings },
        { type: 'console', name: consoleName, ...rings },
        { type: 'entropy', name: 'rng0', ...rings },
      ],
    },
    { resolvePath: (file) => file, mayWriteFiles: false },
  );
  // The kernel's image has no symbols of its own, and says so.
  const files = loadMachine({ ...configuration, symbols: [] });
  const channels = new Map<string, string>();
  let listening = false;
  let events = 0;
  const machine: Machine = new Machine(
    // The same date in each run, so that runs can be compared.
    { ...files.machine, wallClockAtResetNanoseconds: 1_767_225_600_000_000_000n },
    {
      output: (channel, bytes) => {
        const text = (channels.get(channel) ?? '') + Buffer.from(bytes).toString('latin1');
        channels.set(channel, text);
        if (channel !== consoleName || listening || !text.includes(echoDialogue.ready)) return;
        listening = true;
        machine.requestStop();
      },
      event: () => {
        events++;
      },
      violation: (violation) =>
        captured.set(violation.number, captureViolation(machine, guestSymbols, accessors, violation)),
    },
    { ...(boot.compiler !== undefined && { processor: { compiler: boot.compiler } }) },
  );
  const guestSymbols = new GuestSymbols(symbols);
  const accessors = new Accessors([], (low, high) => disassembleRange(machine, machine.cpu.turn, low, high));
  const captured = new Map<number, ReturnType<typeof captureViolation>>();
  machine.monitor.policy.replace('launch', [{ pattern: '*', action: 'report' }]);
  const began = performance.now();
  let ending: string | undefined;
  let answered = false;
  while (ending === undefined && machine.steps < greatestSteps && machine.clock.now() < greatestNanoseconds) {
    const exit = machine.run({ untilStep: machine.steps + sliceSteps, skipIdle: true });
    if (listening && !answered) {
      answered = true;
      machine.input(consoleName, Buffer.from(`${echoDialogue.line}\n`));
    }
    if (exit.kind === 'finished') ending = exit.outcome.kind;
    else if (exit.kind === 'idle' && exit.dueNanoseconds === undefined) ending = 'every hart waits for ever';
    else if (exit.kind === 'lost') ending = `hart ${exit.hart} is lost at 0x${exit.pc.toString(16)}`;
  }
  const seconds = (performance.now() - began) / 1000;
  files.close();
  return {
    console: channels.get('uart0') ?? '',
    virtioConsole: channels.get(consoleName) ?? '',
    ending,
    violations: machine.monitor.violations.map((violation) => {
      const stack = captured.get(violation.number) ?? captureViolation(machine, guestSymbols, accessors, violation);
      return reportViolation(violation, stack);
    }),
    steps: machine.steps,
    events,
    stateHash: machine.stateHash(),
    seconds,
  };
}

/** What a boot failed to show. Empty: all is well. */
export function shortcomings(boot: Boot, result: BootResult): readonly string[] {
  const quick = boot.words?.includes('quick') === true;
  const wanted = quick
    ? ['GUEST-OK quick']
    : [
        `GUEST-SHELL harts=${boot.harts} `,
        ...['block-read', 'block-write', 'block-fsync', 'entropy-device', 'getrandom', 'console-echo', 'rtc'].map(
          (check) => new RegExp(`CHECK ${check}( .*)? PASS`),
        ),
        boot.aia === undefined ? 'GUEST-OK linux 6.1' : 'GUEST-OK linux 6.12',
      ];
  const missing = wanted.filter((each) =>
    typeof each === 'string' ? !result.console.includes(each) : !each.test(result.console),
  );
  return [
    ...missing.map((each) => `the console lacks ${String(each)}`),
    ...(quick || result.virtioConsole.includes(`heard ${echoDialogue.line}`)
      ? []
      : [`the virtio console did not answer: ${JSON.stringify(result.virtioConsole)}`]),
    ...(result.ending === 'power-off' ? [] : [`it ended with ${result.ending ?? 'nothing'}, expected power-off`]),
    ...result.violations.map(
      ({ rule, level, device, message, source }) =>
        `${level} ${rule} at ${device}: ${message} (${source === undefined ? 'no line' : `${source.file}:${source.line}`})`,
    ),
  ];
}
