// Violations as the page tells them: the rule in words, the moments in order, the evidence, and what can be done.
import type { VirtioEvent } from '../../../emulator/record/events';
import type { Violation } from '../../../emulator/virtio/violation';
import type { PolicyAction } from '../../../emulator/virtio/watch/policy';
import { inWordsOf } from '../../../emulator/virtio/transport/register-names';
import {
  countOf,
  formatDuration,
  formatHex,
  groupDigits,
  type Action,
  type CodeLine,
  type CodePosition,
  type EvidenceTable,
  type OwnershipHistory,
  type RingExcerpt,
  type ViolationModel,
  type ViolationMoment,
} from '../../../webview/model/inspector';
import type { SourcePosition, ViolationReport } from '../../debug/target';
import { breakWhenChanges, positionIntent } from './actions';
import { letterOf, viewRing } from './rings';
import { baseName, type DeviceView } from './source';

/** What the pictures of a violation need beside its report. */
export interface ViolationContext {
  readonly violation: Violation | undefined;
  /** The device's picture; undefined for a device that has none. */
  readonly view: DeviceView | undefined;
  readonly now: number;
  /** Whether the machine stands at it. */
  readonly standing: boolean;
  /** What the policy does about its rule now, and whether a mute says so. */
  readonly action: PolicyAction;
  readonly muted: boolean;
  readonly positionOf: (pc: bigint) => CodePosition;
  readonly linesOf: (position: CodePosition) => readonly CodeLine[];
}

function at(
  source: SourcePosition | undefined,
  pc: bigint,
  context: Pick<ViolationContext, 'positionOf'>,
): CodePosition {
  if (source === undefined) return context.positionOf(pc);
  return {
    label: `${baseName(source.file)}:${source.line}`,
    file: source.file,
    line: source.line,
    pc: `0x${pc.toString(16)}`,
  };
}

/** Where the blame of a report goes. */
export function reportPosition(report: ViolationReport, positionOf: ViolationContext['positionOf']): CodePosition {
  return at(report.source, report.pc, { positionOf });
}

/** What the earlier event was, for titles and buttons. */
const relatedTitles: Partial<Readonly<Record<VirtioEvent['kind'], string>>> = {
  publish: 'Published',
  'status-write': 'Status Write',
  'driver-features-write': 'Feature Write',
  'queue-ready-write': 'QueueReady Write',
  'queue-setup': 'Queue Set-up',
  'ring-store': 'Store',
  'config-read': 'Configuration Read',
  notify: 'Notification',
  'interrupt-claim': 'Claim',
};

function relatedTitle(event: VirtioEvent | undefined): string {
  return (event === undefined ? undefined : relatedTitles[event.kind]) ?? 'Earlier Event';
}

/** In a few words what the earlier event changed. */
function relatedEffect(event: VirtioEvent | undefined): string {
  switch (event?.kind) {
    case 'publish':
      return `avail.idx ${groupDigits(event.before)} → ${groupDigits(event.after)}`;
    case 'status-write':
      return `Status ${formatHex(event.before)} → ${formatHex(event.after)}`;
    default:
      return '';
  }
}

/** Gives texts the names that registers have on the device's transport. */
function wordsFor(violation: Violation | undefined): (text: string) => string {
  return (text) => (violation === undefined ? text : inWordsOf(violation.transport, violation.legacy, text));
}

function blamedTitle({ blames }: ViolationReport, place: Violation['place']): string {
  if (blames === 'missing action') return 'Nothing followed this';
  switch (place?.kind) {
    case 'status':
      return 'Accessed Status';
    case 'register':
      return `Accessed ${place.register}`;
    case 'feature':
      return 'Wrote DriverFeatures';
    case 'config':
      return 'Accessed configuration';
    case 'descriptor':
    case 'available':
    case 'used':
    case 'event-suppression':
      return blames === 'publish' ? 'Published' : 'Stored';
    default:
      return 'The access';
  }
}

function moments(report: ViolationReport, context: ViolationContext): readonly ViolationMoment[] {
  const list: ViolationMoment[] = [];
  const { related } = report;
  const said = wordsFor(context.violation);
  if (related?.pc !== undefined) {
    const position = at(related.source, related.pc, context);
    list.push({
      title: said(relatedTitle(context.violation?.related)),
      when: `${countOf(Math.max(0, report.step - related.step), 'step')} earlier`,
      who: 'driver',
      blamed: false,
      position,
      lines: context.linesOf(position),
      facts: [{ name: 'step', value: groupDigits(related.step) }],
      effect: said(relatedEffect(context.violation?.related)),
    });
  }
  const position = reportPosition(report, context.positionOf);
  const when = context.standing
    ? report.beforeEffect
      ? 'now, not in effect yet'
      : 'now'
    : `${formatDuration(Math.max(0, context.now - report.virtualNanoseconds))} ago`;
  list.push({
    title: said(blamedTitle(report, context.violation?.place)),
    when,
    who: 'driver',
    blamed: true,
    position,
    lines: context.linesOf(position),
    facts: [
      { name: 'step', value: groupDigits(report.step) },
      { name: 'hart', value: `${report.hart}` },
      { name: '', value: report.function },
    ],
    effect: report.foundAtStep === report.step ? '' : `found at step ${groupDigits(report.foundAtStep)}`,
  });
  return list;
}

function evidenceOf(report: ViolationReport): EvidenceTable {
  return {
    columns: ['evidence', 'value'],
    rows: report.evidence.map(({ name, value }) => ({ cells: [name, value], violated: false })),
  };
}

/** Who had the descriptor since its publish. */
function ownership(context: ViolationContext): OwnershipHistory | null {
  const { violation, view, now } = context;
  const place = violation?.place;
  if (
    !context.standing ||
    view === undefined ||
    violation === undefined ||
    place?.kind !== 'descriptor' ||
    place.table !== undefined
  )
    return null;
  const ring = viewRing(view, place.queue);
  const position = ring?.queue.holderOf.get(place.index);
  const live = position === undefined ? undefined : ring?.queue.chains.get(position);
  if (ring === undefined || live === undefined) return null;
  const published = live.published.virtualNanoseconds;
  const flight = view.seen.queues[place.queue]?.inFlight.find((each) => each.position === position);
  const fetched = flight?.fetchedAtNanoseconds;
  const due = flight?.dueNanoseconds;
  const phases: OwnershipHistory['phases'] = [
    { state: 'A', label: 'available', fromNanoseconds: published, toNanoseconds: fetched ?? now, future: false },
    ...(fetched === undefined
      ? []
      : [{ state: 'I', label: 'in the device', fromNanoseconds: fetched, toNanoseconds: now, future: false } as const]),
    ...(due !== undefined && due > now
      ? [
          {
            state: 'I',
            label: `would stay in the device, ${formatDuration(due - now)}`,
            fromNanoseconds: now,
            toNanoseconds: due,
            future: true,
          } as const,
        ]
      : []),
  ];
  const publisher = view.positionOf(live.published.pc).label;
  return {
    title: `Who owns descriptor ${place.index}`,
    caption: `${formatDuration((due ?? now) - published)}, drawn to scale`,
    phases,
    marks: [
      { atNanoseconds: published, label: `published, ${publisher}`, who: 'driver', violation: false, future: false },
      ...(fetched === undefined
        ? []
        : [{ atNanoseconds: fetched, label: 'fetched', who: 'device', violation: false, future: false } as const]),
      {
        atNanoseconds: now,
        label: violation.beforeEffect ? 'about to be stored' : 'stored',
        who: 'driver',
        violation: true,
        future: false,
      },
      ...(due !== undefined && due > now
        ? [{ atNanoseconds: due, label: 'used: safe again', who: 'device', violation: false, future: true } as const]
        : []),
    ],
  };
}

function excerpt(context: ViolationContext): RingExcerpt | null {
  const { violation, view } = context;
  const place = violation?.place;
  if (!context.standing || view === undefined || place?.kind !== 'descriptor') return null;
  const ring = viewRing(view, place.queue);
  const position = ring?.queue.holderOf.get(place.index);
  const live = position === undefined ? undefined : ring?.queue.chains.get(position);
  if (live === undefined) return null;
  const cells = live.chain.elements
    .filter((element) => !element.indirect)
    .slice(0, 8)
    .map((element) => ({
      state: letterOf(live.phase),
      label: `${element.index}`,
      violated: element.index === place.index,
    }));
  return { queue: place.queue, chains: [{ cells, note: '' }] };
}

const policyWords: Readonly<Record<PolicyAction, string>> = { break: 'breaks', report: 'is reported', off: 'is off' };

function goTo(event: VirtioEvent | undefined): string {
  return event?.kind === 'publish' ? 'Go to Publish' : `Go to ${relatedTitle(event)}`;
}

function actionsOf(report: ViolationReport, position: CodePosition, context: ViolationContext): readonly Action[] {
  const { related } = report;
  const before: readonly Action[] =
    related?.pc === undefined
      ? []
      : [
          {
            label: wordsFor(context.violation)(goTo(context.violation?.related)),
            intent: positionIntent(at(related.source, related.pc, context)),
            key: 'P',
          },
        ];
  const watch = breakWhenChanges(context.violation?.place, context.view);
  return [
    { label: 'Go to Cause', intent: positionIntent(position), key: 'Enter', primary: true },
    ...before,
    ...(watch === undefined ? [] : [{ label: 'Break When This Changes', intent: watch, key: 'B' } as const]),
    context.muted
      ? { label: 'Unmute', intent: { type: 'unmute', violation: report.number }, key: 'M' }
      : { label: 'Mute Here', intent: { type: 'mute', violation: report.number }, key: 'M' },
    { label: 'Explain', intent: { type: 'openRule', rule: report.rule }, key: '?' },
    ...(context.standing ? [{ label: 'Continue', intent: { type: 'continue' }, key: 'C' } as const] : []),
  ];
}

export function projectViolation(report: ViolationReport, context: ViolationContext): ViolationModel {
  const position = reportPosition(report, context.positionOf);
  const consequences = report.consequences.length;
  return {
    id: report.number,
    rule: report.rule,
    title: report.title,
    level: report.level,
    family: report.family,
    reference: `virtio 1.4, ${report.section}`,
    section: report.section,
    explanation: [{ strong: report.message }, ` ${report.why}`],
    device: report.device,
    queue: report.queue ?? null,
    step: report.step,
    position,
    count: report.count,
    muted: context.muted,
    moments: moments(report, context),
    ownership: ownership(context),
    evidence: evidenceOf(report),
    stack: report.stack.map((frame) => ({ name: frame.name, position: at(frame.source, frame.pc, context) })),
    fix: [report.fix],
    hint: null,
    ring: excerpt(context),
    actions: actionsOf(report, position, context),
    policy: [
      { name: 'seen', value: `${groupDigits(report.count)}×` },
      { name: 'this rule', value: context.muted ? 'is muted' : policyWords[context.action] },
      { name: 'consequences', value: consequences === 0 ? 'none' : groupDigits(consequences) },
    ],
    policyNote: report.beforeEffect
      ? 'Continue runs the access once; it does not stop again before the device is reset.'
      : 'The access has taken effect; a repeat at the same place only counts up before the device is reset.',
  };
}
