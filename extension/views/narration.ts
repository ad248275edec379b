// Says what just happened in one sentence of facts, from the newest events; and what the event before it was. Also the words of the
// event list. Sentences name the driver or the device, the values, and why where the stream tells it.
import { describeDeed } from '../../emulator/record/describe';
import type { VirtioEvent } from '../../emulator/record/events';
import { positionText } from '../../emulator/virtio/spec/packed-ring';
import { statusText } from '../../emulator/virtio/spec/status';
import {
  countOf,
  formatAddress,
  formatHex,
  groupDigits,
  plainText,
  type Action,
  type CodePosition,
  type EventRow,
  type Narration,
  type RichText,
} from '../../webview/model/inspector';
import type { DescriptorField } from '../../emulator/virtio/watch/chains';
import type { ViolationPlace } from '../../emulator/virtio/violation';
import type { ViolationReport } from '../debug/target';
import { changeOf } from './pictures/source';

type EventOf<Kind extends VirtioEvent['kind']> = Extract<VirtioEvent, { readonly kind: Kind }>;

/** Where code stands, for links in sentences. */
export type PositionOf = (pc: bigint) => CodePosition;

const moved = (before: number, after: number): string => `${groupDigits(before)} → ${groupDigits(after)}`;

function publishText(event: EventOf<'publish'>): RichText {
  const heads = event.chains.map((chain) => `${chain.head}`);
  const [only] = event.chains;
  const what =
    heads.length === 1 && only !== undefined
      ? `head ${only.head}`
      : `${countOf(heads.length, 'chain')} (heads ${heads.slice(0, 6).join(', ')}${heads.length > 6 ? ', …' : ''})`;
  const where = heads.length === 1 && only !== undefined ? ` in slot ${only.slot}` : '';
  if (event.packedSize !== undefined) {
    return [
      { strong: `Driver published ${what.replace('head', 'buffer id')}` },
      `${where} of queue ${event.queue}; next is ${positionText(event.after, event.packedSize)}.`,
    ];
  }
  return [
    { strong: `Driver published ${what}` },
    `${where} of queue ${event.queue}; avail.idx ${moved(event.before, event.after)}.`,
  ];
}

function storeText(event: EventOf<'ring-load' | 'ring-store'>): RichText {
  const { place, queue } = event;
  const verb = event.kind === 'ring-store' ? 'stored' : 'read';
  if (place.part === 'descriptor') {
    const which = place.table === undefined ? `descriptor ${place.index}` : `entry ${place.index} of an indirect table`;
    if (event.kind === 'ring-load')
      return [`Driver read ${place.field} of ${which}, queue ${queue}: ${fieldValue(place.field, event.after)}.`];
    return [
      { strong: `Driver wrote ${place.field} of ${which}` },
      `, queue ${queue}: ${fieldValue(place.field, event.before)} → ${fieldValue(place.field, event.after)}.`,
    ];
  }
  if (place.part === 'driver-event' || place.part === 'device-event') {
    const structure = `${place.field} of the ${place.part === 'driver-event' ? 'driver' : 'device'} event suppression structure`;
    return [{ strong: `Driver ${verb} ${structure}` }, ` of queue ${queue}: ${formatHex(event.after)}.`];
  }
  const name =
    'slot' in place
      ? `${place.part === 'available' ? 'avail.ring' : 'used.ring'}[${place.slot}]`
      : `${place.part === 'available' ? 'avail' : 'used'}.${place.field}`;
  return [{ strong: `Driver ${verb} ${name}` }, ` of queue ${queue}: ${groupDigits(event.after)}.`];
}

function fieldValue(field: DescriptorField, value: bigint): string {
  return field === 'addr' ? formatAddress(value) : field === 'flags' ? formatHex(value) : groupDigits(value);
}

function statusWriteText(event: EventOf<'status-write'>): RichText {
  if (event.value === 0)
    return [{ strong: 'Driver reset the device' }, ` (wrote 0 to Status, which was ${statusText(event.before)}).`];
  const added = event.value & ~event.before;
  const refused = event.value & ~event.after;
  const what = added === 0 ? `wrote Status ${statusText(event.value)} again` : `set ${statusText(added)}`;
  return [
    { strong: `Driver ${what}` },
    `; Status ${formatHex(event.before)} → ${formatHex(event.after)}${refused === 0 ? '' : `, because the device refused ${statusText(refused)}`}.`,
  ];
}

function messageText(outcome: EventOf<'interrupt'>['outcome'], vector: number, cause: string): RichText {
  switch (outcome) {
    case 'raised':
      return [{ strong: `Device sent MSI-X vector ${vector}` }, ` for ${cause}.`];
    case 'already-pending':
      return [{ strong: `Device has MSI-X vector ${vector} pending` }, ` for ${cause}; it is masked.`];
    case 'suppressed':
      return [{ strong: 'Device sent no message' }, ` for ${cause}: no vector is mapped to it.`];
  }
}

function interruptText(event: EventOf<'interrupt'>): RichText {
  const cause = event.cause === 'used-buffer' ? 'a used buffer' : 'a configuration change';
  if (event.vector !== undefined) return messageText(event.outcome, event.vector, cause);
  switch (event.outcome) {
    case 'raised':
      return [
        { strong: 'Device raised its interrupt' },
        ` for ${cause}; InterruptStatus is ${formatHex(event.interruptStatus)}.`,
      ];
    case 'already-pending':
      return [{ strong: `Device has ${cause} to report` }, '; its interrupt was pending already.'];
    case 'suppressed':
      return [{ strong: 'Device left out the interrupt' }, ` for ${cause}, because the driver does not want it.`];
  }
}

/** What an event is, in one sentence. */
export function sentenceOf(event: VirtioEvent): RichText {
  switch (event.kind) {
    case 'publish':
      return publishText(event);
    case 'ring-load':
    case 'ring-store':
      return storeText(event);
    case 'status-write':
      return statusWriteText(event);
    case 'interrupt':
      return interruptText(event);
    case 'notify':
      return [{ strong: `Driver notified queue ${event.value}` }, event.exists ? '.' : ', which does not exist.'];
    case 'fetch': {
      const { chain } = event;
      return [
        { strong: `Device fetched ${chain.packed === undefined ? 'head' : 'buffer id'} ${chain.head}` },
        ` of queue ${event.queue} from slot ${chain.slot}: ${countOf(chain.elements.length, 'buffer')}${chain.tables.length === 0 ? '' : ' through an indirect table'}.`,
      ];
    }
    case 'request':
      return [
        { strong: `Device: ${event.description}` },
        ` (head ${event.head})${event.status === undefined ? '' : `, ${event.status}`}.`,
      ];
    case 'used':
      if (event.packedSize !== undefined) {
        return [
          { strong: `Device used buffer id ${event.head}` },
          ` with len ${groupDigits(event.length)}: it wrote slot ${event.slot}, next is ${positionText(event.usedIndex, event.packedSize)}.`,
        ];
      }
      return [
        { strong: `Device used head ${event.head}` },
        ` with len ${groupDigits(event.length)} in slot ${event.slot}; used.idx ${moved((event.usedIndex - 1) & 0xffff, event.usedIndex)}.`,
      ];
    case 'collect': {
      if (event.packedSize !== undefined) {
        return [
          { strong: `Driver saw slot ${event.before % event.packedSize} used` },
          ` on queue ${event.queue}: next it looks at ${positionText(event.after, event.packedSize)}.`,
        ];
      }
      const count = (event.after - event.before) & 0xffff;
      return [
        { strong: `Driver collected ${countOf(count, 'used buffer')}` },
        ` of queue ${event.queue}: it saw used.idx ${moved(event.before, event.after)}.`,
      ];
    }
    case 'unordered':
      return [
        { strong: `Driver loaded ${event.target === 'buffer' ? 'a buffer' : 'a used entry'} too early` },
        ` at ${formatAddress(event.physicalAddress)}: nothing orders it behind the load of used.idx of queue ${event.queue}.`,
      ];
    case 'buffer-access':
      return [
        { strong: event.access === 'load' ? 'Driver loaded from a buffer' : 'Driver stored to a buffer' },
        event.phase === 'seen'
          ? ` of queue ${event.queue} at ${formatAddress(event.physicalAddress)}, beyond what the device wrote.`
          : ` of queue ${event.queue} at ${formatAddress(event.physicalAddress)}, which the device has.`,
      ];
    case 'suppression':
      return [
        { strong: `Device wrote ${event.packedSize === undefined ? 'used' : 'device_event'}.${event.field}` },
        ` of queue ${event.queue}: ${groupDigits(event.value)}.`,
      ];
    case 'dma-read':
      return [`Device read ${countOf(event.length, 'byte')} at ${formatAddress(event.address)} (head ${event.head}).`];
    case 'dma-write':
      return [`Device wrote ${countOf(event.length, 'byte')} at ${formatAddress(event.address)} (head ${event.head}).`];
    case 'interrupt-acknowledge':
      return [
        { strong: 'Driver acknowledged the interrupt' },
        `; InterruptStatus ${formatHex(event.before)} → ${formatHex(event.after)}.`,
      ];
    case 'interrupt-claim':
      return [{ strong: `A hart claimed interrupt ${event.source}` }, '.'];
    case 'interrupt-complete':
      return [`A hart completed interrupt ${event.source}.`];
    case 'interrupt-line':
      return [`The interrupt line of ${event.device} went ${event.level ? 'up' : 'down'}.`];
    case 'interrupt-status-read':
      return [`Driver read InterruptStatus: ${formatHex(event.value)}.`];
    case 'identity-read':
      return [
        `Driver read ${event.register} of ${event.device}: ${formatHex(event.value)}${event.register === 'DeviceID' && event.value === 0 ? ', so there is no device here' : ''}.`,
      ];
    case 'status-read':
      return [`Driver read Status: ${statusText(event.value)}.`];
    case 'device-features-read':
      return [
        `Driver read offered bits ${event.window * 32} to ${event.window * 32 + 31}: ${formatHex(event.value, 8)}.`,
      ];
    case 'driver-features-write':
      return [
        { strong: `Driver accepted ${formatHex(event.value, 8)}` },
        ` of bits ${event.window * 32} to ${event.window * 32 + 31}.`,
      ];
    case 'queue-ready-write':
      return [
        { strong: `Driver ${event.value === 0 ? 'stopped' : 'enabled'} queue ${event.queue}` },
        event.after === event.value ? '.' : ', but the device did not take it.',
      ];
    case 'guest-page-size-write':
      return [`Driver wrote GuestPageSize: ${groupDigits(event.value)} bytes.`];
    case 'pci-config-write':
    case 'pci-command-write':
    case 'pci-vendor-id-read':
    case 'pci-window-access':
    case 'vector-write':
    case 'vector-read':
      return [`${describeDeed(event).replace(/^d/, 'D')}.`];
    case 'queue-align-write':
      return [`Driver wrote QueueAlign of queue ${event.queue}: ${groupDigits(event.value)} bytes.`];
    case 'queue-setup':
      return [
        `Driver wrote ${event.field} of queue ${event.queue}: ${event.field === 'QueueSize' ? groupDigits(event.value) : formatHex(event.value, 8)}.`,
      ];
    case 'config-read':
      return [
        `Driver read ${event.field ?? `configuration offset ${formatHex(event.offset)}`}: ${groupDigits(event.value)}.`,
      ];
    case 'config-write':
      return [
        { strong: `Driver wrote ${event.field ?? `configuration offset ${formatHex(event.offset)}`}` },
        `: ${groupDigits(event.value)}.`,
      ];
    case 'starved':
      return [{ strong: 'Device has no buffer' }, ` in queue ${event.queue} for what came from outside.`];
    case 'stale-fetch':
      return [
        { strong: 'Device fetched before a store was visible' },
        `: hart ${event.store.hart} had stored to ${formatAddress(event.store.address)}, and nothing had ordered it.`,
      ];
    case 'config-change':
      return [{ strong: 'Device changed its configuration' }, `; generation ${event.generation}.`];
    case 'queue-reset-done':
      return [{ strong: `Device finished the reset of queue ${event.queue}` }, '.'];
    case 'needs-reset':
      return [{ strong: 'Device needs a reset' }, `: ${event.reason}.`];
    case 'reset-done':
      return ['Device finished its reset.'];
    case 'suspended':
      return [{ strong: 'Device is suspended' }, ': SUSPEND shows, DRIVER_OK does not.'];
    case 'resumed':
      return [{ strong: 'Device runs again' }, ': DRIVER_OK shows, SUSPEND does not.'];
    case 'device-fault':
      return [{ strong: 'The device model failed' }, `: ${event.message}.`];
    case 'idle':
      return ['Every hart waits for an interrupt.'];
    case 'queue-select':
      return [`Driver selected queue ${event.value}.`];
    case 'queue-size-max-read':
      return [`Driver read QueueSizeMax of queue ${event.queue}: ${groupDigits(event.value)}.`];
    case 'queue-ready-read':
      return [`Driver read QueueReady of queue ${event.queue}: ${event.value}.`];
    case 'config-generation-read':
      return [`Driver read ConfigGeneration: ${event.value}.`];
    case 'device-features-select':
    case 'driver-features-select':
      return [
        `Driver selected ${event.kind === 'device-features-select' ? 'offered' : 'accepted'} bits ${event.value * 32} to ${event.value * 32 + 31}.`,
      ];
    case 'queue-reset-write':
    case 'queue-reset-read':
      return [
        `Driver ${event.kind === 'queue-reset-read' ? 'read' : 'wrote'} QueueReset of queue ${event.queue}: ${event.value}.`,
      ];
    case 'register-read':
    case 'register-write':
      return [
        `Driver ${event.kind === 'register-read' ? 'read' : 'wrote'} ${event.register ?? `register offset ${formatHex(event.offset, 3)}`}: ${formatHex(event.value)}.`,
      ];
    case 'shared-memory-access':
      return [`Driver accessed ${event.register}.`];
  }
}

/** Events that say the same as another one, or too little, to be listed. */
const unlisted: ReadonlySet<VirtioEvent['kind']> = new Set<VirtioEvent['kind']>([
  'register-read',
  'register-write',
  'queue-select',
  'device-features-select',
  'driver-features-select',
  'interrupt-line',
  'interrupt-complete',
  'idle',
  'ring-load',
  'dma-read',
  'dma-write',
  'config-generation-read',
  'queue-ready-read',
]);

/** Whether the event list and the narration tell this event. */
export function isTold(event: VirtioEvent): boolean {
  if (event.kind !== 'ring-store') return !unlisted.has(event.kind);
  // The store of idx is followed by its publish.
  return event.place.part === 'descriptor' || (event.place.part === 'available' && event.place.field === 'ring');
}

const marks: Partial<Readonly<Record<VirtioEvent['kind'], EventRow['mark']>>> = {
  publish: 'publish',
  notify: 'notify',
  fetch: 'fetch',
  used: 'used',
  interrupt: 'interrupt',
};
const words: Partial<Readonly<Record<VirtioEvent['kind'], string>>> = {
  'ring-store': 'descriptor',
  'status-write': 'status',
  'status-read': 'status',
  'interrupt-acknowledge': 'acknowledge',
  'interrupt-status-read': 'interrupt',
  'interrupt-claim': 'claim',
  'identity-read': 'identity',
  'device-features-read': 'features',
  'driver-features-write': 'features',
  'queue-ready-write': 'queue',
  'queue-setup': 'queue',
  'queue-size-max-read': 'queue',
  'config-read': 'config',
  'config-write': 'config',
  'config-change': 'config',
};

/** An interrupt that did not happen gets no interrupt's sign. */
function isSuppressed(event: VirtioEvent): boolean {
  return event.kind === 'interrupt' && event.outcome === 'suppressed';
}

/** One line of the event list. */
export function eventRow(event: VirtioEvent, positionOf: PositionOf): EventRow {
  return {
    index: event.index + 1,
    step: event.step,
    virtualNanoseconds: event.virtualNanoseconds,
    who: event.by === 'board' ? null : event.by,
    device: event.device ?? null,
    mark: isSuppressed(event) ? 'other' : (marks[event.kind] ?? 'other'),
    kind: words[event.kind] ?? event.kind,
    text: [plainText(sentenceOf(event))],
    position: event.by === 'driver' ? positionOf(event.pc) : null,
  };
}

/** A sentence with the place in the code that it happened at, when a driver did it. */
function placed(event: VirtioEvent, positionOf: PositionOf): RichText {
  const text = sentenceOf(event);
  return event.by === 'driver' ? [...text, ' ', { position: positionOf(event.pc) }] : text;
}

/** What a store or write is about to change, when the evidence names both values. */
export function differenceOf(report: ViolationReport, cell: string | undefined): Narration['difference'] {
  const { before, after } = changeOf(report.evidence);
  if (before === undefined || after === undefined) return null;
  const when = report.beforeEffect ? 'if you continue' : 'changed';
  return { title: cell === undefined ? when : `${cell}, ${when}`, minus: before, plus: after };
}

/** The cell that a violation is about, as code names it: `desc[4].addr`. */
export function cellName(place: ViolationPlace | undefined): string | undefined {
  switch (place?.kind) {
    case 'descriptor':
      return `desc[${place.index}]${place.field === undefined ? '' : `.${place.field}`}`;
    case 'available':
      return place.slot === undefined ? `avail.${place.field}` : `avail.ring[${place.slot}]`;
    case 'used':
      return place.slot === undefined ? `used.${place.field}` : `used.ring[${place.slot}]`;
    case 'status':
      return 'Status';
    case 'register':
      return place.register;
    case 'event-suppression':
      return `${place.side}_event${place.field === undefined ? '' : `.${place.field}`}`;
    case 'feature':
    case 'config':
    case 'queue':
    case 'interrupt':
    case undefined:
      return undefined;
  }
}

export interface NarrationSubject {
  /** Newest last; only those that are told. */
  readonly events: readonly VirtioEvent[];
  /** The violation that the machine stands at. */
  readonly violation: ViolationReport | undefined;
  /** The cell it is about. */
  readonly place: ViolationPlace | undefined;
  readonly actions: readonly Action[];
  readonly positionOf: PositionOf;
}

/** Null before anything happened. */
export function narrate({ events, violation, place, actions, positionOf }: NarrationSubject): Narration | null {
  const newest = events.at(-1);
  if (violation !== undefined) {
    const effect = violation.beforeEffect ? ' The access has not taken effect.' : '';
    return {
      before: newest === undefined ? null : ['Before: ', plainText(sentenceOf(newest))],
      sentence: [{ strong: violation.title }, `: ${violation.message}${effect}`],
      violation: true,
      difference: differenceOf(violation, cellName(place)),
      actions,
    };
  }
  if (newest === undefined) return null;
  const before = events.at(-2);
  return {
    before: before === undefined ? null : ['Before: ', plainText(sentenceOf(before))],
    sentence: placed(newest, positionOf),
    violation: false,
    difference: null,
    actions: [],
  };
}
