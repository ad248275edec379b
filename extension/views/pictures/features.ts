// The feature table: what the device offers, what the driver accepted, what is in force, and what the driver did with it since.
// [virtio 1.4, 2.2 and 6]
import { deviceId } from '../../../emulator/virtio/spec/device-id';
import { blockFeature } from '../../../emulator/virtio/spec/block';
import { bitsOf, feature, findFeature, hasFeature } from '../../../emulator/virtio/spec/feature';
import { status } from '../../../emulator/virtio/spec/status';
import {
  countOf,
  groupDigits,
  type FeatureRow,
  type FeaturesModel,
  type RichText,
} from '../../../webview/model/inspector';
import type { QueueHistory } from './history';
import { numberOf } from './device';
import type { DeviceView } from './source';

const deviceGroups: Readonly<Record<number, string>> = {
  [deviceId.net]: 'Network device',
  [deviceId.block]: 'Block device',
  [deviceId.console]: 'Console',
  [deviceId.entropy]: 'Entropy source',
};

function groupOf(view: DeviceView, bit: number): string {
  const known = findFeature(view.seen.deviceId, bit);
  if (known === undefined) return 'Unknown';
  return known.group === 'device' ? (deviceGroups[view.seen.deviceId] ?? 'Device') : 'Rings and transport';
}

/** `VIRTIO_BLK_F_SEG_MAX` as `SEG_MAX`. */
export function shortFeatureName(name: string): string {
  return name.replace(/^VIRTIO_(?:[A-Z0-9]+_)?F_/, '');
}

function sentence(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}

const total = (queues: readonly QueueHistory[], value: (queue: QueueHistory) => number): number =>
  queues.reduce((sum, queue) => sum + value(queue), 0);

/** What the driver did with a feature that the ring itself shows. */
function ringBehaviour(view: DeviceView, bit: number): string | undefined {
  const queues = [...view.history.device(view.seen.name).queues.values()];
  switch (bit) {
    case feature.VERSION_1:
      return 'status and config layout follow it';
    case feature.INDIRECT_DESC: {
      const tables = total(queues, (queue) => queue.indirectTables);
      const longest = Math.max(0, ...queues.map((queue) => queue.longestTable));
      return tables === 0
        ? 'no indirect table yet'
        : `${countOf(tables, 'table')}, longest ${countOf(longest, 'entry', 'entries')}`;
    }
    case feature.EVENT_IDX: {
      const loads = total(queues, (queue) => queue.availEventLoads);
      const stores = total(queues, (queue) => queue.usedEventStores);
      return `read avail_event ${groupDigits(loads)}×, wrote used_event ${groupDigits(stores)}×`;
    }
    default:
      return undefined;
  }
}

function requestBehaviour(view: DeviceView, bit: number): string | undefined {
  if (view.seen.deviceId !== deviceId.block) return undefined;
  const word = {
    [blockFeature.FLUSH]: 'flush',
    [blockFeature.DISCARD]: 'discard',
    [blockFeature.WRITE_ZEROES]: 'write zeroes',
  }[bit];
  if (word === undefined) return undefined;
  const known = [...view.history.device(view.seen.name).queues.values()].flatMap((queue) => queue.requests);
  const count = known.filter((request) => request.description?.startsWith(word) === true).length;
  return count === 0 ? `no ${word} request lately` : `${countOf(count, `${word} request`)} lately`;
}

interface Behaviour {
  readonly text: string;
  readonly neverHonoured: boolean;
}

/** What the driver did with configuration fields that exist because of a feature. */
function fieldBehaviour(view: DeviceView, bit: number): Behaviour | undefined {
  const fields = view.seen.configFields.filter((field) => field.feature === bit && !isPadding(field.name));
  if (fields.length === 0) return undefined;
  const { fieldsRead } = view.history.device(view.seen.name);
  const read = fields.filter((field) => fieldsRead.has(field.name));
  const [only] = fields;
  if (read.length > 0) {
    if (fields.length > 1 || only === undefined)
      return { text: `read ${read.length} of ${fields.length} fields`, neverHonoured: false };
    return { text: `read ${only.name} (${numberOf(only.value)})`, neverHonoured: false };
  }
  const live = (view.seen.status & status.DRIVER_OK) !== 0;
  const name = fields.length === 1 && only !== undefined ? only.name : (only?.name.split('.')[0] ?? 'its fields');
  return { text: live ? `accepted, never read ${name}` : `${name} not read yet`, neverHonoured: live };
}

function behaviourOf(view: DeviceView, bit: number, offered: boolean, accepted: boolean): Behaviour {
  const negotiating = view.seen.negotiatedFeatures === undefined;
  if (!accepted && !offered) return { text: 'about to be accepted, but not offered', neverHonoured: false };
  if (!accepted) return { text: negotiating ? 'not accepted so far' : 'declined', neverHonoured: false };
  if (!offered) return { text: 'accepted although it was not offered', neverHonoured: false };
  const text = ringBehaviour(view, bit) ?? requestBehaviour(view, bit);
  if (text !== undefined) return { text, neverHonoured: false };
  return fieldBehaviour(view, bit) ?? { text: negotiating ? 'accepted' : 'in force', neverHonoured: false };
}

export function isPadding(name: string): boolean {
  return /^(unused|reserved|padding)/.test(name);
}

function detailOf(view: DeviceView, bit: number, did: string): Pick<FeatureRow, 'detail'> {
  const known = findFeature(view.seen.deviceId, bit);
  if (known === undefined) return {};
  const reference: RichText = [
    { link: `virtio 1.4, ${known.section}`, intent: { type: 'openSpec', section: known.section } },
  ];
  const names = [known.name, ...(known.aliases ?? [])].join(', ');
  return {
    detail: {
      why: [known.meaning],
      did: [`${did.charAt(0).toUpperCase()}${did.slice(1)}.`],
      references: [reference, [names]],
    },
  };
}

function featureRow(view: DeviceView, bit: number): FeatureRow {
  const { offeredFeatures, acceptedFeatures, negotiatedFeatures, deviceId: id } = view.seen;
  const known = findFeature(id, bit);
  const offered = hasFeature(offeredFeatures, bit);
  const accepted = hasFeature(acceptedFeatures, bit);
  const behaviour = behaviourOf(view, bit, offered, accepted);
  const needs = (known?.requires ?? []).flatMap((group) => [...group]);
  const unmet =
    accepted && (known?.requires ?? []).some((group) => !group.some((other) => hasFeature(acceptedFeatures, other)));
  const marked = view.standingAt.some(
    (violation) => violation.place?.kind === 'feature' && violation.place.bit === bit,
  );
  return {
    bit,
    name: known === undefined ? `bit ${bit}` : shortFeatureName(known.name),
    group: groupOf(view, bit),
    offered,
    accepted,
    effective: negotiatedFeatures === undefined ? null : hasFeature(negotiatedFeatures, bit),
    unknown: known === undefined,
    change: null,
    meaning: known === undefined ? 'not in virtio 1.4' : sentence(known.meaning),
    behaviour: [behaviour.text],
    neverHonoured: behaviour.neverHonoured,
    violated: marked || (accepted && !offered) || unmet,
    needs,
    ...detailOf(view, bit, behaviour.text),
  };
}

function summary(view: DeviceView): string {
  const { offeredFeatures, acceptedFeatures, negotiatedFeatures } = view.seen;
  const offered = bitsOf(offeredFeatures).length;
  const accepted = bitsOf(acceptedFeatures).length;
  const { windowsRead, windowsWritten } = view.state.features;
  if (negotiatedFeatures !== undefined) {
    const closed = view.state.handshake.setBy.get(status.FEATURES_OK);
    return `${accepted} of ${offered} accepted, FEATURES_OK kept${closed === undefined ? '' : `; closed since step ${groupDigits(closed.step)}`}`;
  }
  if (view.state.handshake.setBy.has(status.FEATURES_OK))
    return `${accepted} of ${offered} accepted, the device refused the set`;
  if (windowsRead.size === 0) return `${offered} offered, the driver has not looked yet`;
  return windowsWritten.size === 0
    ? `${offered} offered, none accepted yet`
    : `${accepted} of ${offered} accepted so far`;
}

export function projectFeatures(view: DeviceView): FeaturesModel {
  const { offeredFeatures, acceptedFeatures } = view.seen;
  // A bit that is just being accepted shows, too, when it breaks a rule: it is neither offered nor accepted yet.
  const attempted = view.standingAt.flatMap(({ place }) => (place?.kind === 'feature' ? [place.bit] : []));
  const bits = [...new Set([...bitsOf(offeredFeatures | acceptedFeatures), ...attempted])];
  const rows = bits.map((bit) => featureRow(view, bit));
  const order = [deviceGroups[view.seen.deviceId] ?? 'Device', 'Rings and transport', 'Unknown'];
  rows.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group) || a.bit - b.bit);
  const ignored = rows.filter((row) => row.neverHonoured);
  return {
    summary: summary(view),
    bitCount: bits.some((bit) => bit > 63) ? 128 : 64,
    rows,
    comparedWith: null,
    remark: ignored.length === 0 ? null : [`${ignored.map((row) => row.name).join(', ')} accepted, never read`],
  };
}
