// From a machine that stands still between two slices to the inspector's model. Reads only; what only the past tells comes from the
// event stream, once. [design: events; the views are projections of one stream]
import type { VirtioEvent } from '../../emulator/record/events';
import type { Violation } from '../../emulator/virtio/violation';
import type { EventLog } from '../../emulator/record/log';
import {
  countOf,
  emptyModel,
  formatDuration,
  type CodeLine,
  type CodePosition,
  type DeviceModel,
  type EventRow,
  type InspectorModel,
  type SessionState,
  type ViolationModel,
} from '../../webview/model/inspector';
import type { ViolationReport } from '../debug/target';
import type { InspectionRequest } from '../worker/inspection-source';
import { eventRow, isTold, narrate } from './narration';
import {
  projectConfig,
  projectDiscovery,
  projectIdentity,
  projectInterrupt,
  projectRequests,
  queueCaption,
  summarizeDevice,
  summarizeQueue,
} from './pictures/device';
import { projectFeatures } from './pictures/features';
import { projectHandshake } from './pictures/handshake';
import { projectQueue } from './pictures/queue';
import {
  codePosition,
  standingAt,
  viewDevice,
  type DeviceView,
  type InspectedMachine,
  type ProjectionSource,
} from './pictures/source';
import { sourceLines } from './pictures/source-lines';
import { projectViolation, reportPosition, type ViolationContext } from './pictures/violations';

export type { ProjectionSource } from './pictures/source';

/** Told events that are sent, standing and running, and how many are looked at to find them. */
const sentEvents = { standing: 200, running: 60 };
const searchedEvents = 2000;
/** Told events that come after a moment in the past, as the run went before. */
const sentAhead = 40;
/** Violations that are sent; the tree lists all. */
const sentViolations = 100;

/** How lines of source come in; given by tests. */
export type LinesOf = (position: CodePosition) => readonly CodeLine[];

function toldEvents(log: EventLog, device: string | undefined, most: number): readonly VirtioEvent[] {
  const told: VirtioEvent[] = [];
  const oldest = Math.max(log.first, log.length - searchedEvents);
  for (let index = log.length - 1; index >= oldest && told.length < most; index--) {
    const event = log.at(index);
    if (
      event !== undefined &&
      isTold(event) &&
      (device === undefined || event.device === undefined || event.device === device)
    )
      told.push(event);
  }
  return told.reverse();
}

function toldAhead(log: EventLog, device: string | undefined, end: number): readonly VirtioEvent[] {
  const told: VirtioEvent[] = [];
  const latest = Math.min(end, log.length + searchedEvents);
  for (let index = log.length; index < latest && told.length < sentAhead; index++) {
    const event = log.ahead(index);
    if (event !== undefined && isTold(event) && (device === undefined || (event.device ?? device) === device))
      told.push(event);
  }
  return told;
}

/** How far the shown moment lies behind the live end, in words. */
function pastText({ liveEnd }: ProjectionSource, machine: InspectedMachine): string | null {
  if (liveEnd === undefined) return null;
  const nanoseconds = liveEnd.virtualNanoseconds - machine.clock.now();
  return nanoseconds > 0
    ? `${formatDuration(nanoseconds)} in the past`
    : `${countOf(liveEnd.step - machine.steps, 'step')} in the past`;
}

const gravity: Readonly<Record<Violation['level'], number>> = { must: 0, should: 1, hazard: 2 };

/** One access may break several rules: the stop is about the gravest, and among equals the first. */
function gravest(standing: readonly Violation[]): Violation | undefined {
  return [...standing].sort((a, b) => gravity[a.level] - gravity[b.level] || a.number - b.number)[0];
}

function sessionState(source: ProjectionSource, standing: boolean, machine: InspectedMachine): SessionState {
  if (source.isRunning) return 'running';
  if (source.hasEnded === true) return 'ended';
  if (standing) return 'violation';
  return machine.steps === 0 && machine.monitor.events.length === 0 ? 'starting' : 'stopped';
}

/** The asked device, or the one of the violation that the machine stands at, of the newest event, or the first. */
function chooseDevice(
  machine: InspectedMachine,
  request: InspectionRequest,
  blamed: string | undefined,
): string | undefined {
  const { devices } = machine.virtio;
  const exists = (name: string | undefined): boolean => devices.some((device) => device.name === name);
  return [request.device, blamed, machine.monitor.events.newest?.device, devices[0]?.name].find(exists);
}

/** The asked queue, or the one of the violation, or the one with most in flight, or the first. */
function chooseQueue(view: DeviceView, request: InspectionRequest, blamed: number | undefined): number | undefined {
  const { queues } = view.seen;
  const exists = (index: number | undefined): boolean => queues.some((queue) => queue.index === index);
  const busiest = queues.reduce<number | undefined>((best, queue) => {
    const inFlight = (index: number): number => view.history.queue(view.seen.name, index).changes.at(-1)?.inFlight ?? 0;
    return best === undefined || inFlight(queue.index) > inFlight(best) ? queue.index : best;
  }, undefined);
  return [request.device === view.seen.name ? request.queue : undefined, blamed, busiest].find(exists);
}

function projectDevice(view: DeviceView, violations: number, queue: number | undefined): DeviceModel {
  const queues = view.seen.queues.map((each) => summarizeQueue(view, each.index));
  return {
    ...summarizeDevice(view.seen, violations),
    discovery: projectDiscovery(view),
    handshake: projectHandshake(view),
    features: projectFeatures(view),
    identity: projectIdentity(view),
    config: projectConfig(view),
    interrupt: projectInterrupt(view),
    queues,
    queueCaption: queueCaption(queues),
    requests: queue === undefined ? [] : projectRequests(view, queue),
    requestCaption: queue === undefined ? '' : `last requests, queue ${queue}`,
  };
}

/**
 * One snapshot. `source` is a session between two slices; nothing in it is changed. Without a machine the page says that there is no
 * session.
 */
export function projectInspector(
  source: ProjectionSource,
  request: InspectionRequest,
  sequence: number,
  linesOf: LinesOf = sourceLines,
): InspectorModel {
  const { machine } = source;
  if (machine === undefined) return emptyModel(sequence);
  const standing = standingAt(machine, source.isRunning);
  const reports = source.allViolations();
  const blamed = reports.find((report) => report.number === gravest(standing)?.number);
  const name = chooseDevice(machine, request, blamed?.device);
  const view = name === undefined ? undefined : viewDevice(source, machine, name);
  const queue =
    view === undefined ? undefined : chooseQueue(view, request, blamed?.device === name ? blamed?.queue : undefined);
  const positionOf = (pc: bigint): CodePosition => codePosition(source.symbols, pc);
  const count = (device: string): number => reports.filter((report) => report.device === device).length;
  const violations = projectViolations(source, machine, reports, view, linesOf);
  const told = toldEvents(machine.monitor.events, name, source.isRunning ? sentEvents.running : sentEvents.standing);
  const ahead = source.liveEnd === undefined ? [] : toldAhead(machine.monitor.events, name, source.liveEnd.events);
  const state = sessionState(source, blamed !== undefined, machine);
  const stands = !source.isRunning && state !== 'ended';
  return {
    sequence,
    session: state,
    step: machine.steps,
    virtualNanoseconds: machine.clock.now(),
    past: pastText(source, machine),
    eventIndex: machine.monitor.events.length,
    eventCount: source.liveEnd?.events ?? machine.monitor.events.length,
    can: {
      nextRingEvent: stands,
      previousRingEvent: stands && source.canGoBack === true,
      goToEvent: stands && source.canGoBack === true,
      goToLiveEnd: stands && source.liveEnd !== undefined,
      continue: stands,
      pause: source.isRunning,
    },
    devices: machine.virtio.devices.map((device) => summarizeDevice(device.inspect(), count(device.name))),
    device: view === undefined ? null : projectDevice(view, count(view.seen.name), queue),
    queue: view === undefined || queue === undefined ? null : projectQueue(view, queue, request),
    violations,
    standingAt: blamed?.number ?? null,
    narration: narrate({
      events: told,
      violation: blamed,
      place: gravest(standing)?.place,
      actions: violations.find((each) => each.id === blamed?.number)?.actions ?? [],
      positionOf,
    }),
    events: [
      ...withViolations(
        told.map((event) => eventRow(event, positionOf)),
        reports,
        positionOf,
      ),
      ...ahead.map((event): EventRow => ({ ...eventRow(event, positionOf), ahead: true })),
    ],
  };
}

function policyOn(
  machine: InspectedMachine,
  { rule, family, level, device, pc }: ViolationReport,
): Pick<ViolationContext, 'action' | 'muted'> {
  const { policy } = machine.monitor;
  const muted = policy.entries.some(
    (entry) =>
      entry.source === 'mute' &&
      entry.pattern === rule &&
      (entry.device === undefined || entry.device === device) &&
      (entry.pc === undefined || entry.pc === pc),
  );
  return { action: policy.decide({ id: rule, family, level }, device, pc).action, muted };
}

function projectViolations(
  source: ProjectionSource,
  machine: InspectedMachine,
  reports: readonly ViolationReport[],
  view: DeviceView | undefined,
  linesOf: LinesOf,
): readonly ViolationModel[] {
  const standing = standingAt(machine, source.isRunning);
  const now = machine.clock.now();
  return reports
    .slice(-sentViolations)
    .reverse()
    .map((report) =>
      projectViolation(report, {
        violation: machine.monitor.violations.find((each) => each.number === report.number),
        view: view?.seen.name === report.device ? view : undefined,
        now,
        standing: standing.some((each) => each.number === report.number),
        positionOf: (pc) => codePosition(source.symbols, pc),
        linesOf,
        ...policyOn(machine, report),
      }),
    );
}

/** Violations stand among the events at the moment they were found. */
function withViolations(
  rows: readonly EventRow[],
  reports: readonly ViolationReport[],
  positionOf: (pc: bigint) => CodePosition,
): readonly EventRow[] {
  const oldest = rows[0]?.step ?? 0;
  const found = reports
    .filter((report) => report.foundAtStep >= oldest)
    .map((report): EventRow => ({
      index: rows.filter((row) => row.step <= report.foundAtStep).at(-1)?.index ?? 0,
      step: report.foundAtStep,
      virtualNanoseconds: report.virtualNanoseconds,
      who: 'driver',
      device: report.device,
      mark: 'violation',
      kind: 'violation',
      text: [`${report.title}: ${report.message}`],
      position: reportPosition(report, positionOf),
    }));
  return [...rows, ...found].sort((a, b) => a.virtualNanoseconds - b.virtualNanoseconds || a.step - b.step);
}
