// The addresses of the user network: those that guests know from QEMU's, so that scripts work unchanged.

export type Address = readonly [number, number, number, number];

/** The host as the guest sees it; traffic to it goes to the host's loopback. */
export const gatewayAddress: Address = [10, 0, 2, 2];
export const nameServerAddress: Address = [10, 0, 2, 3];
/** What DHCP gives. */
export const guestAddress: Address = [10, 0, 2, 15];
export const networkMask: Address = [255, 255, 255, 0];
/** Locally administered; the last four bytes are the address. */
export const gatewayLink = [0x52, 0x55, ...gatewayAddress] as const;
export const broadcastLink = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] as const;
export const domainName = 'ringside.internal';

export function sameAddress(bytes: ArrayLike<number>, address: ArrayLike<number>): boolean {
  return bytes.length === address.length && Array.from(address).every((byte, i) => bytes[i] === byte);
}

export function isOnNetwork(bytes: Uint8Array): boolean {
  return networkMask.every((mask, i) => ((bytes[i] ?? 0) & mask) === ((gatewayAddress[i] ?? 0) & mask));
}

/** Whether a unicast address can be a packet's destination outside: no loopback, multicast, broadcast or unspecified one. */
export function isRoutable(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  return first !== 0 && first !== 127 && first < 224 && !isOnNetwork(bytes);
}

/** Where on the host a guest's destination is: the gateway is the host itself. Undefined: nobody is there. */
export function hostOf(destination: Uint8Array): string | undefined {
  if (sameAddress(destination, gatewayAddress)) return '127.0.0.1';
  return isRoutable(destination) ? destination.join('.') : undefined;
}
