// Watches what only network devices have: whether the address was read, how many pairs of queues the driver asked for, whether it was
// asked to announce itself, what it read after a configuration change, and how much room it has given for packets. [virtio 1.4, 5.1.4, 5.1.9.5]
import type { GuestMemory } from '../../bus/memory';
import type { Chain, VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { isReadable, readSentCommand, roleOf, totalOf } from '../rules/net-request';
import { deviceId } from '../spec/device-id';
import { hasFeature } from '../spec/feature';
import { interruptBit } from '../spec/interrupt';
import { netFeature, netStatus } from '../spec/net';
import { controlClass, rssFixedBytes } from '../spec/net-control';
import type { DeviceState } from './state';

/** Plain data. */
export interface LinkUnread {
  readonly announced: VirtioEvent;
  /** Bits: 1 speed, 2 duplex. */
  missing: number;
  /** The driver's first access that served the change. */
  servedBy: DriverEvent | undefined;
}

/** Plain data. */
export interface NetState {
  /** Bytes of `mac` that were read since power-on, one bit each. */
  addressRead: number;
  /** Pairs of queues that the newest command asked for; undefined: none yet. */
  pairs: number | undefined;
  pairsBy: DriverEvent | undefined;
  /** The read of `status` that showed ANNOUNCE, until it is acknowledged. */
  announceSeen: VirtioEvent | undefined;
  /** A configuration change that was announced, and what of speed and duplex was not read since; undefined: nothing is owed. */
  linkUnread: LinkUnread | undefined;
  /** Room of receive buffers published in this lap: the largest one and all together. */
  largestRoom: number;
  totalRoom: number;
}

export function freshNet(addressRead = 0): NetState {
  return {
    addressRead,
    pairs: undefined,
    pairsBy: undefined,
    announceSeen: undefined,
    linkUnread: undefined,
    largestRoom: 0,
    totalRoom: 0,
  };
}

/** All six bytes of the address. */
export const wholeAddress = 0x3f;
const statusOffset = 6;
const speedOffset = 12;
const duplexOffset = 16;

export function watchNet(state: DeviceState, event: VirtioEvent, memory: GuestMemory): void {
  if (state.description.deviceId !== deviceId.net) return;
  switch (event.kind) {
    case 'config-read': {
      const { offset, size, value } = event;
      noteLinkRead(state.net, event);
      for (let byte = offset; byte < Math.min(offset + size, 6); byte++) state.net.addressRead |= 1 << byte;
      if (offset > statusOffset || offset + size <= statusOffset) return;
      const announce = (Number(value >> BigInt((statusOffset - offset) * 8)) & netStatus.ANNOUNCE) !== 0;
      state.net.announceSeen = announce ? (state.net.announceSeen ?? event) : undefined;
      return;
    }
    case 'interrupt':
      if (event.cause !== 'config-change' || event.outcome === 'suppressed') return;
      if (hasFeature(state.features.accepted, netFeature.SPEED_DUPLEX)) {
        state.net.linkUnread = { announced: event, missing: 3, servedBy: undefined };
      }
      return;
    case 'interrupt-acknowledge':
      if ((event.value & event.before & interruptBit['config-change']) !== 0) noteServed(state.net, event);
      return;
    case 'publish': {
      const role = roleOf(state, event.queue);
      for (const chain of event.chains.filter(isReadable)) {
        if (role === 'receive') noteRoom(state.net, chain);
        else if (role === 'control') noteCommand(state.net, chain, event, memory);
      }
      return;
    }
    default:
  }
}

function noteServed({ linkUnread }: NetState, event: DriverEvent): void {
  if (linkUnread !== undefined) linkUnread.servedBy ??= event;
}

function noteLinkRead(net: NetState, event: DriverEvent & { readonly offset: number; readonly size: number }): void {
  const { linkUnread } = net;
  if (linkUnread === undefined) return;
  noteServed(net, event);
  const covers = (byte: number): boolean => event.offset <= byte && byte < event.offset + event.size;
  if (covers(speedOffset)) linkUnread.missing &= ~1;
  if (covers(duplexOffset)) linkUnread.missing &= ~2;
  if (linkUnread.missing === 0) net.linkUnread = undefined;
}

function noteRoom(net: NetState, chain: Chain): void {
  const room = totalOf(chain, true);
  net.largestRoom = Math.max(net.largestRoom, room);
  net.totalRoom += room;
}

function noteCommand(net: NetState, chain: Chain, event: DriverEvent, memory: GuestMemory): void {
  const { row, data } = readSentCommand(chain, memory);
  if (row?.controlClass === controlClass.ANNOUNCE) net.announceSeen = undefined;
  if (row?.controlClass !== controlClass.MQ || row.command > 1) return;
  const le16 = (at: number): number => (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
  // MQ_VQ_PAIRS_SET says it at once, MQ_RSS_CONFIG behind its table.
  net.pairs = row.command === 0 ? le16(0) : le16(rssFixedBytes + 2 * (le16(4) + 1));
  net.pairsBy = event;
}
