// The initialisation sequence of the current lap as states with what happened in each, and what may come next. [virtio 1.4, 3.1.1]
import type { VirtioEvent } from '../../../emulator/record/events';
import { bitsOf } from '../../../emulator/virtio/spec/feature';
import { dialects, type Dialect, type DialectStep } from '../../../emulator/virtio/spec/dialect';
import { status, statusBits } from '../../../emulator/virtio/spec/status';
import {
  countOf,
  formatDuration,
  formatHex,
  groupDigits,
  type Fact,
  type HandshakeLane,
  type HandshakeModel,
  type HandshakeState,
  type RichText,
} from '../../../webview/model/inspector';
import type { DeviceView } from './source';

/** Earlier laps that get a line of their own. */
const shownLaps = 2;

const dialectOf = (view: DeviceView): Dialect => dialects[view.seen.dialect];

function wrote(view: DeviceView, event: VirtioEvent, value: number): Fact {
  const text: RichText =
    event.by === 'driver'
      ? [`wrote ${formatHex(value)} at `, { position: view.positionOf(event.pc) }]
      : [`wrote ${formatHex(value)}`];
  return { who: 'driver', text };
}

function whenOf(event: VirtioEvent, before: VirtioEvent | undefined): string {
  const since = before === undefined || before.step > event.step ? '' : ` +${groupDigits(event.step - before.step)}`;
  return `step ${groupDigits(event.step)}${since}`;
}

/** What else is known about a state that was asked for. */
function remark(view: DeviceView, { name, mask }: DialectStep): readonly Fact[] {
  const { state, seen, history } = view;
  const { judgedAt, liveBy } = dialectOf(view);
  if ((mask & judgedAt & ~seen.status) !== 0) return [{ who: 'device', text: ['refused: the bit stays clear'] }];
  if (mask === liveBy) {
    const ready = seen.queues.filter((queue) => queue.ready).length;
    return [{ who: 'device', text: [`live, ${countOf(ready, 'queue')} ready`] }];
  }
  const offered = bitsOf(seen.offeredFeatures).length;
  const accepted = bitsOf(seen.acceptedFeatures).length;
  switch (name) {
    case 'DRIVER': {
      const windows = state.features.windowsRead.size;
      if (windows === 0) return [];
      const choice =
        state.features.windowsWritten.size === 0 ? 'accepted none yet' : `accepted ${accepted} of ${offered}`;
      return [{ who: 'driver', text: [`read ${windows * 32} bits, ${choice}`] }];
    }
    case 'FEATURES_OK': {
      const reread = history.device(seen.name).featuresReread;
      if (reread === undefined || reread.by !== 'driver')
        return [{ who: 'device', text: ['kept; not read again yet'] }];
      return [{ who: 'device', text: ['kept; re-read at ', { position: view.positionOf(reread.pc) }] }];
    }
    default:
      return [];
  }
}

function resetState(view: DeviceView, current: boolean): HandshakeState {
  const { reset, resetReadBack } = view.state.handshake;
  const violated = current && view.standingAt.some((violation) => violation.place?.kind === 'status');
  if (reset === undefined) {
    const facts: readonly Fact[] = [{ who: 'device', text: ['as after power-on; the driver has not reset it'] }];
    return {
      name: 'RESET',
      value: '0x00',
      progress: current ? 'current' : 'done',
      facts,
      when: '',
      position: null,
      violated,
    };
  }
  const readBack: Fact = resetReadBack
    ? { who: 'device', text: ['read back ', { code: '0x00' }] }
    : { who: 'device', text: ['not read back yet'] };
  return {
    name: 'RESET',
    value: '0x00',
    progress: current ? 'current' : 'done',
    facts: [wrote(view, reset, 0), readBack],
    when: whenOf(reset, undefined),
    position: reset.by === 'driver' ? view.positionOf(reset.pc) : null,
    violated,
  };
}

/** The steps that the driver took, and whether it took them in the order of the specification. */
function inOrder(view: DeviceView): boolean {
  const steps = dialectOf(view).steps.flatMap(({ mask }) => view.state.handshake.setBy.get(mask) ?? []);
  return steps.every((event, at) => at === 0 || event.index >= (steps[at - 1]?.index ?? 0));
}

function states(view: DeviceView): readonly HandshakeState[] {
  const { setBy } = view.state.handshake;
  const now = view.seen.status;
  const { steps } = dialectOf(view);
  const reached = steps.map(({ mask }) => (now & mask) !== 0);
  const last = reached.lastIndexOf(true);
  const failed = (now & (status.FAILED | status.DEVICE_NEEDS_RESET)) !== 0;
  const violated = view.standingAt.some((violation) => violation.place?.kind === 'status');
  const progressOf = (at: number): HandshakeState['progress'] => {
    if (at === last) return 'current';
    if (reached[at] === true) return 'done';
    if (at < last) return 'skipped';
    return at === last + 1 && !failed ? 'next' : 'later';
  };
  let before = view.state.handshake.reset;
  let value = 0;
  const list: HandshakeState[] = [resetState(view, last < 0)];
  steps.forEach((step, at) => {
    const { name, mask } = step;
    value |= mask;
    const event = setBy.get(mask);
    const written = event?.kind === 'status-write' ? event.value : value;
    list.push({
      name,
      value: formatHex(written),
      progress: progressOf(at),
      facts: event === undefined ? [] : [wrote(view, event, written), ...remark(view, step)],
      when: event === undefined ? '' : whenOf(event, before),
      position: event?.by === 'driver' ? view.positionOf(event.pc) : null,
      violated: violated && at === last,
    });
    if (event !== undefined) before = event;
  });
  return list;
}

function bitLanes(view: DeviceView): readonly HandshakeLane[] {
  const needs = (view.seen.status & status.DEVICE_NEEDS_RESET) !== 0;
  const failed = (view.seen.status & status.FAILED) !== 0;
  const failure = view.state.handshake.setBy.get(status.FAILED);
  const gaveUp: RichText =
    failure?.by === 'driver'
      ? ['the driver gave up at ', { position: view.positionOf(failure.pc) }]
      : ['the driver gave up'];
  return [
    {
      who: 'device',
      name: 'NEEDS_RESET 0x40',
      mark: needs ? 'set' : 'not set',
      happened: needs,
      text: [
        needs
          ? (view.seen.needsReset ?? 'the device cannot go on without a reset')
          : 'only the device may set it, after DRIVER_OK; the driver then resets',
      ],
    },
    {
      who: 'driver',
      name: 'FAILED 0x80',
      mark: failed ? 'set' : 'never',
      happened: failed,
      text: failed ? gaveUp : ['the driver gives up; possible from every state'],
    },
  ];
}

function lapLanes(view: DeviceView): readonly HandshakeLane[] {
  const { steps } = dialectOf(view);
  const { laps } = view.history.device(view.seen.name);
  const lanes: HandshakeLane[] = [];
  laps.slice(0, -1).forEach((lap, at) => {
    const end = laps[at + 1]?.reset;
    // A lap in which nothing was set is only the time before the first reset.
    if (end === undefined || lap.bits === 0) return;
    const taken = steps.filter(({ mask }) => (lap.bits & mask) !== 0);
    const furthest = taken.at(-1)?.name ?? 'RESET';
    const since =
      lap.last === undefined ? [] : [` ${formatDuration(end.virtualNanoseconds - lap.last.virtualNanoseconds)} later`];
    lanes.push({
      who: null,
      name: `Lap ${at + 1}`,
      reached: { count: taken.length + 1, of: steps.length + 1 },
      mark: 'reset',
      happened: true,
      text: [
        `reached ${furthest}${lap.last === undefined ? '' : ` at step ${groupDigits(lap.last.step)}`}, reset`,
        ...(end.by === 'driver' ? [' by ', { position: view.positionOf(end.pc) }] : []),
        ...since,
      ],
    });
  });
  return lanes.slice(-shownLaps);
}

/** What the handshake lets the driver do now, in one sentence. [virtio 1.4, 2.1.1, 3.1.1] */
function nextStep({ steps }: Dialect, now: number): string {
  if ((now & status.DEVICE_NEEDS_RESET) !== 0) return 'the driver resets the device (writes 0), or sets FAILED';
  if ((now & status.FAILED) !== 0) return 'the driver resets the device before it tries again';
  const reached = steps.findLast(({ mask }) => (now & mask) !== 0);
  return reached?.next ?? 'the driver resets the device, then sets ACKNOWLEDGE';
}

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth'];

function caption(view: DeviceView, lap: number, list: readonly HandshakeState[]): string {
  const which = `${ordinals[lap - 1] ?? `${lap}th`} lap`;
  const skipped = list.filter((state) => state.progress === 'skipped').map((state) => state.name);
  const refused = dialectOf(view).steps.find(
    ({ name, mask }) => skipped.includes(name) && view.state.handshake.setBy.has(mask),
  );
  if (refused !== undefined) return `${which}; went on although the device refused ${refused.name}`;
  if (skipped.length > 0) return `${which}, ${skipped.join(' and ')} skipped`;
  if (!inOrder(view)) return `${which}, out of order`;
  const { liveBy, demandedBy } = dialectOf(view);
  return (view.seen.status & liveBy) !== 0 ? `${which}, in the order ${demandedBy}` : which;
}

export function projectHandshake(view: DeviceView): HandshakeModel {
  const list = states(view);
  const { laps } = view.history.device(view.seen.name);
  const lap = Math.max(1, laps.filter((each, at) => each.bits !== 0 || at === laps.length - 1).length);
  const next = nextStep(dialectOf(view), view.seen.status);
  return {
    caption: caption(view, lap, list),
    lap,
    status: formatHex(view.seen.status),
    bits: [...statusBits]
      .sort((a, b) => b.mask - a.mask)
      .map(({ name, mask }) => {
        const step = dialectOf(view).steps.find((each) => each.mask === mask);
        return { name: step?.name ?? name.replace('DEVICE_', ''), set: (view.seen.status & mask) !== 0 };
      }),
    states: list,
    lanes: [...bitLanes(view), ...lapLanes(view)],
    next: next === '' ? [] : [next],
  };
}
