// The rest of the Overview: identity, configuration space, interrupt, queues in short, and what stands there before the guest looks.
import { mmioMagic, mmioVendor, mmioVersion } from '../../../emulator/virtio/transport/mmio-registers';
import { mmioLegacyVersion } from '../../../emulator/virtio/transport/mmio-legacy-registers';
import { virtioSlots } from '../../../emulator/board/memory-map';
import { deviceId, deviceName } from '../../../emulator/virtio/spec/device-id';
import { status } from '../../../emulator/virtio/spec/status';
import type { MessageInspection } from '../../../emulator/virtio/inspection';
import { interruptBits } from '../../../emulator/virtio/spec/interrupt';
import {
  countOf,
  formatAddress,
  formatBytes,
  formatDuration,
  formatHex,
  groupDigits,
  type ConfigModel,
  type ConfigRow,
  type DeviceIcon,
  type DeviceSummary,
  type DiscoveryModel,
  type InterruptModel,
  type InterruptStage,
  type NamedValue,
  type QueueSummary,
  type RequestRow,
} from '../../../webview/model/inspector';
import { isPadding } from './features';
import { activityOf, medianLatency, type RequestRecord } from './history';
import { decodeChain } from './requests';
import { statesOf } from './rings';
import type { DeviceView } from './source';

const icons: Readonly<Record<number, DeviceIcon>> = {
  [deviceId.net]: 'net',
  [deviceId.block]: 'block',
  [deviceId.console]: 'console',
  [deviceId.entropy]: 'entropy',
};

export function numberOf(value: bigint): string {
  return groupDigits(value);
}

export function summarizeDevice(seen: DeviceView['seen'], violations: number): DeviceSummary {
  return {
    name: seen.name,
    icon: icons[seen.deviceId] ?? 'other',
    caption: `${seen.typeName} · ${seen.transport} ${isOnPci(seen) ? 'device' : 'slot'} ${seen.slot}`,
    violations,
  };
}

function ascii(value: number): string {
  const text = String.fromCharCode(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff);
  return `${formatHex(value, 8)} "${text}"`;
}

function isOnPci({ transport }: DeviceView['seen']): boolean {
  return transport.startsWith('pci');
}

/** What the wires lead to. */
function controllerName({ machine }: DeviceView): 'PLIC' | 'APLIC' {
  return (machine.configuration.aia ?? 'none') === 'none' ? 'PLIC' : 'APLIC';
}

/** What a guest reads first: the identity registers of mmio, or the place on the PCI bus. */
function identification(view: DeviceView): readonly NamedValue[] {
  const { seen } = view;
  const device = { name: 'DeviceID', value: `${seen.deviceId}, ${deviceName(seen.deviceId)}` };
  if (isOnPci(seen)) {
    return [
      { name: 'PCI function', value: `00:${seen.slot.toString(16).padStart(2, '0')}.0 (${seen.transport})` },
      device,
      { name: 'Registers', value: seen.base === 0 ? 'not mapped' : formatAddress(seen.base) },
      { name: 'Interrupt', value: `INTA#, ${controllerName(view)} source ${seen.interruptSource}` },
      ...(seen.messages === undefined
        ? []
        : [
            {
              name: 'MSI-X',
              value: `${seen.messages.vectors.length} vectors, ${seen.messages.enabled ? 'on' : 'off'}`,
            },
          ]),
    ];
  }
  const isLegacy = seen.transport === 'mmio-legacy';
  return [
    { name: 'MagicValue', value: ascii(mmioMagic) },
    { name: 'Version', value: isLegacy ? `${mmioLegacyVersion} (legacy)` : `${mmioVersion} (modern)` },
    device,
    { name: 'VendorID', value: ascii(mmioVendor) },
    { name: 'Registers', value: formatAddress(seen.base) },
    { name: 'Interrupt', value: `${controllerName(view)} source ${seen.interruptSource}` },
  ];
}

export function projectIdentity(view: DeviceView): readonly NamedValue[] {
  const { seen, machine } = view;
  const configured = machine.configuration.devices.find((device) => device.name === seen.name);
  const mood = [...(configured?.mood ?? []), ...(configured?.hostile === true ? ['hostile'] : [])].join(', ');
  return [
    ...identification(view),
    ...(configured?.type === 'block' ? [{ name: 'Backend', value: configured.backend.description }] : []),
    { name: 'On driver error', value: seen.onDriverError },
    ...(mood === '' ? [] : [{ name: 'Mood', value: mood }]),
  ];
}

function configNote(view: DeviceView, row: DeviceView['seen']['configFields'][number]): string {
  if (!row.present) return row.feature === undefined ? row.meaning : `needs bit ${row.feature}`;
  if (row.name === 'capacity' && view.seen.deviceId === deviceId.block)
    return `sectors: ${formatBytes(Number(row.value) * 512)}`;
  return row.meaning;
}

const structures: Readonly<Record<number, string>> = {
  [deviceId.block]: 'virtio_blk_config',
  [deviceId.console]: 'virtio_console_config',
  [deviceId.net]: 'virtio_net_config',
};

export function projectConfig(view: DeviceView): ConfigModel {
  const { seen, history, state } = view;
  const fields = seen.configFields.filter((field) => !isPadding(field.name));
  const lastPresent = fields.filter((field) => field.present).at(-1)?.offset ?? -1;
  const { fieldsRead } = history.device(seen.name);
  const present = fields.filter((field) => field.present);
  const marked = (offset: number, size: number): boolean =>
    view.standingAt.some(
      ({ place }) => place?.kind === 'config' && place.offset < offset + size && offset < place.offset + place.size,
    );
  const rows = fields
    .filter((field) => field.present || field.offset < lastPresent)
    .map((field): ConfigRow => {
      const accepted = field.feature !== undefined && ((state.features.accepted >> BigInt(field.feature)) & 1n) === 1n;
      const unread = field.present && accepted && (seen.status & status.DRIVER_OK) !== 0 && !fieldsRead.has(field.name);
      return {
        offset: formatHex(field.offset),
        name: field.name,
        value: field.present ? numberOf(field.value) : '–',
        note: marked(field.offset, field.size)
          ? 'the access that broke a rule'
          : unread
            ? `never read: ${field.meaning}`
            : configNote(view, field),
        present: field.present,
        warning: unread,
        ...(marked(field.offset, field.size) && { violated: true }),
      };
    });
  const read = present.filter((field) => fieldsRead.has(field.name)).length;
  return {
    structure: structures[seen.deviceId] ?? '',
    caption:
      present.length === 0 ? '' : `generation ${seen.configGeneration}, driver read ${read} of ${present.length}`,
    generation: seen.configGeneration,
    rows,
  };
}

/** One stage for each event that can have a vector. */
function messageStages({ configVector, queueVectors, vectors, functionMasked }: MessageInspection): InterruptStage[] {
  const events = [
    ...queueVectors.map((vector, queue) => ({ vector, name: `queue ${queue}` })),
    { vector: configVector, name: 'configuration change' },
  ];
  return events.map(({ vector, name }) => {
    const entry = vectors[vector];
    if (entry === undefined) return { lit: null, label: `${name}: no vector`, value: '–' };
    const state = entry.pending ? 'pending' : entry.masked || functionMasked ? 'masked' : 'open';
    return { lit: entry.pending ? 'device' : null, label: `${name}: MSI-X vector ${vector}`, value: state };
  });
}

export function projectInterrupt(view: DeviceView): InterruptModel {
  const { seen, state, history } = view;
  const past = history.device(seen.name);
  const { claim, readSinceClaim, acknowledgedSinceClaim } = state.interrupt;
  const raised = past.lastRaised;
  const taken = claim !== undefined && (raised === undefined || claim.index > raised.index);
  const bit = (mask: number, name: string): InterruptStage => {
    const set = (seen.interruptStatus & mask) !== 0;
    return { lit: set ? 'device' : null, label: `status bit ${mask === 1 ? 0 : 1}, ${name}`, value: set ? '1' : '0' };
  };
  const hart = claim !== undefined && 'hart' in claim ? claim.hart : undefined;
  const messages = seen.messages?.enabled === true ? seen.messages : undefined;
  const wireStages: InterruptStage[] = [
    ...interruptBits.map(({ mask }) => bit(mask, mask === 1 ? 'used buffer' : 'config change')),
    {
      lit: seen.interruptLine ? 'device' : null,
      label: `line to ${controllerName(view)} source ${seen.interruptSource}`,
      value: seen.interruptLine ? 'up' : 'down',
    },
    {
      lit: taken ? 'driver' : null,
      label: 'a hart claims it',
      value: taken ? `hart ${hart ?? 0}` : raised === undefined ? '–' : 'not yet',
    },
    {
      lit: taken && readSinceClaim !== undefined ? 'driver' : null,
      label: 'driver reads InterruptStatus',
      value: taken && readSinceClaim !== undefined ? 'done' : '–',
    },
    {
      lit: taken && acknowledgedSinceClaim ? 'driver' : null,
      label: 'driver acknowledges',
      value: taken && acknowledgedSinceClaim ? 'done' : '–',
    },
  ];
  const stages = messages === undefined ? wireStages : messageStages(messages);
  const pending = seen.interruptStatus !== 0 || messages?.vectors.some((vector) => vector.pending) === true;
  return {
    line: messages === undefined ? `irq ${seen.interruptSource}` : 'MSI-X',
    caption:
      raised === undefined ? 'never raised' : `raised ${formatDuration(view.now - raised.virtualNanoseconds)} ago`,
    stages,
    counters: [
      { name: 'raised', value: groupDigits(past.raised) },
      { name: 'suppressed', value: groupDigits(past.suppressed) },
      { name: 'acknowledged', value: groupDigits(past.acknowledged) },
    ],
    summary: {
      who: pending ? 'device' : null,
      text: [
        pending
          ? messages === undefined
            ? `pending, ${taken ? 'a hart has claimed it' : 'no hart has claimed it'}`
            : 'pending behind a mask'
          : raised === undefined
            ? 'never raised'
            : 'nothing pending',
      ],
    },
  };
}

function shareOf(part: number, whole: number): string {
  return whole === 0 ? '–' : (part / whole).toFixed(2);
}

export function summarizeQueue(view: DeviceView, index: number): QueueSummary {
  const seen = view.seen.queues[index];
  const past = view.history.queue(view.seen.name, index);
  const states = statesOf(view, index);
  const inFlight = past.changes.at(-1)?.inFlight ?? 0;
  const activity = activityOf(past, view.now);
  const latency = medianLatency(past);
  const most = Math.max(0, ...activity.samples);
  const ready = seen?.ready ?? false;
  return {
    index,
    name: seen?.name ?? `queue ${index}`,
    format: 'split',
    size: ready ? (seen?.size ?? 0) : (seen?.maximumSize ?? 0),
    ready,
    caption: !ready
      ? 'not set up'
      : inFlight > 0
        ? `${groupDigits(inFlight)} in flight`
        : /[^F]/.test(states)
          ? 'none in flight'
          : 'all free',
    states,
    counters: [
      { name: 'in flight', value: groupDigits(inFlight) },
      inFlight === 0 && past.lastUsed !== undefined
        ? { name: 'idle since', value: formatDuration(view.now - past.lastUsed) }
        : { name: 'latency, median', value: latency === undefined ? '–' : formatDuration(latency) },
      { name: 'notify / request', value: shareOf(past.notified, past.published) },
    ],
    activity: activity.samples,
    activityCaption:
      activity.samples.length === 0 ? '' : `last ${formatDuration(activity.windowNanoseconds)}, at most ${most}`,
    violations: view.machine.monitor.violations.filter(
      (violation) => violation.device === view.seen.name && violation.queue === index,
    ).length,
  };
}

function requestState(request: RequestRecord): string {
  const answer = request.status?.replace('VIRTIO_BLK_S_', '') ?? 'done';
  if (request.used !== undefined) return request.collected ? answer : `${answer}, to collect`;
  return request.fetched === undefined ? 'to fetch' : 'in device';
}

/** What a request that the device has not looked at asks for. */
function liveRequest(view: DeviceView, queue: number, { position }: RequestRecord): string | undefined {
  const live = view.state.queues[queue]?.chains.get(position);
  if (live === undefined) return undefined;
  const { memory } = view.machine;
  const { deviceId: device } = view.seen;
  return decodeChain(live.chain, { deviceId: device, queue, memory, answered: false, state: view.state }).request;
}

const shownRequests = 6;

/** The newest requests of the device, newest first. */
export function projectRequests(view: DeviceView, queue: number): readonly RequestRow[] {
  const { requests } = view.history.queue(view.seen.name, queue);
  return requests
    .slice(-shownRequests)
    .reverse()
    .map((request) => ({
      index: groupDigits(request.position),
      request: request.description ?? liveRequest(view, queue, request) ?? `head ${request.head}`,
      microseconds: (((request.used ?? view.now) - request.published) / 1000).toFixed(2),
      state: requestState(request),
    }));
}

/** Shown until the guest reads one of the device's registers. */
export function projectDiscovery(view: DeviceView): DiscoveryModel | null {
  const { seen, history } = view;
  if (history.device(seen.name).touched) return null;
  return {
    title: `The guest has not found ${seen.name} yet`,
    text: [
      `It waits in slot ${seen.slot} at `,
      { code: formatAddress(seen.base) },
      '. Discovery begins when the guest reads MagicValue there.',
    ],
    fact: null,
    slots: virtioSlots.count,
    slot: seen.slot,
    actions: [],
  };
}

export function queueCaption(queues: readonly QueueSummary[]): string {
  const ready = queues.filter((queue) => queue.ready).length;
  return ready === 0 ? `${countOf(queues.length, 'queue')}, none ready` : `${ready} of ${queues.length} ready`;
}
