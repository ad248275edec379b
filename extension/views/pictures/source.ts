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
import type { GuestSymbols } from '../../worker/guest-symbols';
import { historyOf, type EventHistory } from './history';

/** A session as far as the pictures need it. */
export interface ProjectionSource {
  readonly machine:
    | (Pick<Machine, 'steps' | 'configuration' | 'memory'> & {
        readonly clock: Pick<Machine['clock'], 'now'>;
        readonly virtio: Pick<Machine['virtio'], 'devices'>;
        readonly monitor: Pick<Machine['monitor'], 'events' | 'violations' | 'device'>;
      })
    | undefined;
  readonly symbols: Pick<GuestSymbols, 'lineAt' | 'nameOf'> | undefined;
  readonly isRunning: boolean;
  /** The guest has ended by itself. Absent: it has not. */
  readonly hasEnded?: boolean;
  allViolations(): readonly ViolationReport[];
}
export type InspectedMachine = NonNullable<ProjectionSource['machine']>;

/** Everything that the pictures of one device look at, taken at one step. */
export interface DeviceView {
  readonly machine: InspectedMachine;
  readonly seen: VirtioDeviceInspection;
  readonly state: View<DeviceState>;
  readonly log: EventLog;
  readonly history: EventHistory;
  /** Virtual time in nanoseconds. */
  readonly now: number;
  /** Violations that the machine stands at; their cells are marked. */
  readonly standingAt: readonly Violation[];
  readonly positionOf: (pc: bigint) => CodePosition;
}

/** Where code stands in the source, or in symbols where there are no lines. */
export function codePosition(symbols: ProjectionSource['symbols'], pc: bigint): CodePosition {
  const line = symbols?.lineAt(pc);
  const address = `0x${pc.toString(16)}`;
  if (line === undefined) return { label: symbols?.nameOf(pc) ?? address, file: null, line: null, pc: address };
  return { label: `${baseName(line.file)}:${line.line}`, file: line.file, line: line.line, pc: address };
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
    standingAt: standingAt(machine, source.isRunning).filter((violation) => violation.device === name),
    positionOf: (pc) => codePosition(source.symbols, pc),
  };
}
