// What the pictures are made from: a machine standing between two slices of its run, its symbols, and what it was found guilty of.
// Nothing here changes any of them.
import type { Machine } from '../../../emulator/machine';
import type { EventLog } from '../../../emulator/record/log';
import type { VirtioDeviceInspection } from '../../../emulator/virtio/inspection';
import type { Violation } from '../../../emulator/virtio/violation';
import type { DeviceState } from '../../../emulator/virtio/watch/state';
import type { View } from '../../../emulator/virtio/rules/rule';
import type { CodePosition } from '../../../webview/model/inspector';
import type { ViolationReport } from '../../debug/target';
import { Accessors } from '../../worker/accessors';
import type { GuestSymbols } from '../../worker/guest-symbols';
import { historyOf, type EventHistory } from './history';

/** A machine as far as the pictures need it. */
export interface InspectedMachine extends Pick<Machine, 'steps' | 'memory'> {
  readonly configuration: Pick<Machine['configuration'], 'devices' | 'aia'>;
  readonly clock: Pick<Machine['clock'], 'now'>;
  readonly virtio: { readonly devices: readonly Pick<Machine['virtio']['devices'][number], 'name' | 'inspect'>[] };
  readonly monitor: Pick<Machine['monitor'], 'events' | 'violations' | 'device' | 'policy'>;
}

/** A session as far as the pictures need it. */
export interface ProjectionSource {
  readonly machine: InspectedMachine | undefined;
  readonly symbols: Pick<GuestSymbols, 'backtrace' | 'nameOf' | 'findSource'> | undefined;
  readonly isRunning: boolean;
  /** The guest has ended by itself. Absent: it has not. */
  readonly hasEnded?: boolean;
  /** Whether the session keeps a history. Absent: it does not. */
  readonly canGoBack?: boolean;
  /** The live end of the run, and how many events it has, while the machine is in its past. */
  readonly liveEnd?:
    { readonly step: number; readonly virtualNanoseconds: number; readonly events: number } | undefined;
  allViolations(): readonly ViolationReport[];
}
/** Everything that the pictures of one device look at, taken at one step. */
export interface DeviceView {
  readonly machine: InspectedMachine;
  readonly seen: VirtioDeviceInspection;
  readonly state: View<DeviceState>;
  readonly log: EventLog;
  readonly history: EventHistory;
  /** Virtual time in nanoseconds. */
  readonly now: number;
  readonly isRunning: boolean;
  /** Violations that the machine stands at; their cells are marked. */
  readonly standingAt: readonly Violation[];
  readonly positionOf: (pc: bigint) => CodePosition;
}

/** Accessors by the names that many code bases share; the launch attribute's are judged where there is a stack. */
const accessors = new Accessors([], () => undefined);
/** Positions by program counter, for each guest's symbols: the same few accesses happen again and again. */
const knownPositions = new WeakMap<object, Map<bigint, CodePosition>>();
const mostPositions = 20_000;

/**
 * Where code stands in the source, or in symbols where there are no lines. Of functions inlined at one address the first that is not an
 * accessor counts. [design: which line]
 */
export function codePosition(symbols: ProjectionSource['symbols'], pc: bigint): CodePosition {
  if (symbols === undefined) return { label: hexText(pc), file: null, line: null, pc: hexText(pc) };
  let known = knownPositions.get(symbols);
  if (known === undefined || known.size > mostPositions) {
    known = new Map<bigint, CodePosition>();
    knownPositions.set(symbols, known);
  }
  let position = known.get(pc);
  if (position === undefined) known.set(pc, (position = findPosition(symbols, pc)));
  return position;
}

function findPosition(symbols: NonNullable<ProjectionSource['symbols']>, pc: bigint): CodePosition {
  const { frames } = symbols.backtrace({ pc, x: () => undefined }, () => undefined, 1);
  const frame = frames[accessors.blamed(frames)];
  if (frame?.file === undefined || frame.line === undefined) {
    return { label: symbols.nameOf(pc), file: null, line: null, pc: hexText(pc) };
  }
  return {
    label: `${baseName(frame.file)}:${frame.line}`,
    file: symbols.findSource(frame.file),
    line: frame.line,
    pc: hexText(pc),
  };
}

function hexText(value: bigint): string {
  return `0x${value.toString(16)}`;
}

export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** Violations that explain why the machine stands where it stands: found at this very step, and not yet passed. */
export function standingAt(machine: InspectedMachine, isRunning: boolean): readonly Violation[] {
  if (isRunning) return [];
  return machine.monitor.violations.filter((violation) => {
    const passed = machine.steps - violation.foundAtStep;
    return violation.beforeEffect ? passed === 0 : passed === 0 || passed === 1;
  });
}

/** Undefined when the monitor does not know the device, which happens only before its first look at it. */
export function viewDevice(source: ProjectionSource, machine: InspectedMachine, name: string): DeviceView | undefined {
  const device = machine.virtio.devices.find((each) => each.name === name);
  const state = machine.monitor.device(name);
  if (device === undefined || state === undefined) return undefined;
  return {
    machine,
    seen: device.inspect(),
    state,
    log: machine.monitor.events,
    history: historyOf(machine.monitor.events),
    now: machine.clock.now(),
    isRunning: source.isRunning,
    standingAt: standingAt(machine, source.isRunning).filter((violation) => violation.device === name),
    positionOf: (pc) => codePosition(source.symbols, pc),
  };
}

/** The old and the new value that the evidence of a violation names, as it writes them. */
export function changeOf(evidence: readonly { readonly name: string; readonly value: string }[]): {
  readonly before: string | undefined;
  readonly after: string | undefined;
} {
  const find = (pattern: RegExp): string | undefined => evidence.find(({ name }) => pattern.test(name))?.value;
  return { before: find(/\bbefore$/), after: find(/^(after|value written)$/) };
}
