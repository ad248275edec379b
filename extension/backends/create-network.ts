// From the network devices of a launch configuration to their backends and capture files.
import type { NetworkEntry } from '../debug/launch-configuration';
import { CaptureWriter } from './capture';
import { Hub } from './hub';
import { type NetworkBackend, type NetworkLink, Networks } from './network';
import { UserNetwork } from './user-network/user-network';

export interface NetworkDevice {
  readonly name: string;
  readonly network: NetworkEntry;
}

/** @throws CaptureError when a capture cannot be written */
export function createNetworks(devices: readonly NetworkDevice[]): Networks {
  const networks = new Networks();
  const hub = new Hub();
  const captures = new Map<string, CaptureWriter>();
  try {
    for (const { name, network } of devices) {
      let capture = network.capture === undefined ? undefined : captures.get(network.capture);
      if (network.capture !== undefined && capture === undefined) {
        capture = new CaptureWriter(network.capture);
        captures.set(network.capture, capture);
      }
      networks.attach(name, backendOf(network, networks.link(name), hub), capture);
    }
  } catch (error) {
    networks.close();
    throw error;
  }
  return networks;
}

function backendOf(network: NetworkEntry, link: NetworkLink, hub: Hub): NetworkBackend | undefined {
  switch (network.backend) {
    case 'none':
    // The device itself plays a capture, in virtual time.
    case 'replay':
      return undefined;
    case 'loopback':
      return { send: (frame) => link.deliver(frame), isBusy: false, close: () => undefined };
    case 'hub':
      return hub.join(link);
    case 'user':
      return new UserNetwork(link, {
        ...(network.tftp !== undefined && { tftpFolder: network.tftp }),
        ...(network.bootFile !== undefined && { bootFile: network.bootFile }),
      });
  }
}
