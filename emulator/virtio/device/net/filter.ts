// Which frames from outside the driver wants: receive modes, address table, VLANs. [virtio 1.4, 5.1.9.5.1 to 5.1.9.5.3]
import { addressBytes, parseFrame } from '../../../network/packet';
import { hasFeature } from '../../spec/feature';
import { netFeature } from '../../spec/net';

/** Addresses beyond this many mean "all of them", as QEMU does. */
export const maximumTableAddresses = 64;

/** Plain data. Modes by the command of class RX that sets them. */
export interface FilterState {
  modes: boolean[];
  unicast: string[];
  multicast: string[];
  /** More addresses were given than the table holds. */
  unicastOverflow: boolean;
  multicastOverflow: boolean;
  vlans: number[];
}

const mode = { promiscuous: 0, allMulticast: 1, allUnicast: 2, noMulticast: 3, noUnicast: 4, noBroadcast: 5 } as const;

/** Promiscuous until a driver that can say otherwise does so. [5.1.9.5.1: legacy behaviour; QEMU] */
export function freshFilter(): FilterState {
  return {
    modes: [true, false, false, false, false, false],
    unicast: [],
    multicast: [],
    unicastOverflow: false,
    multicastOverflow: false,
    vlans: [],
  };
}

export function copyFilter(filter: FilterState): FilterState {
  return {
    ...filter,
    modes: [...filter.modes],
    unicast: [...filter.unicast],
    multicast: [...filter.multicast],
    vlans: [...filter.vlans],
  };
}

/** @param address the interface's own */
export function wants(filter: FilterState, frame: Uint8Array, address: Uint8Array, features: bigint): boolean {
  const packet = parseFrame(frame);
  if (packet === undefined) return false;
  if (packet.vlan !== undefined && hasFeature(features, netFeature.CTRL_VLAN) && !filter.vlans.includes(packet.vlan)) {
    return false;
  }
  const is = (which: keyof typeof mode): boolean => filter.modes[mode[which]] === true;
  if (is('promiscuous')) return true;
  const destination = frame.subarray(0, addressBytes);
  if (destination.every((byte) => byte === 0xff)) return !is('noBroadcast');
  const text = destination.join();
  if (((destination[0] ?? 0) & 1) !== 0) {
    if (is('noMulticast')) return false;
    return is('allMulticast') || filter.multicastOverflow || filter.multicast.includes(text);
  }
  if (is('noUnicast')) return false;
  return is('allUnicast') || filter.unicastOverflow || text === address.join() || filter.unicast.includes(text);
}
