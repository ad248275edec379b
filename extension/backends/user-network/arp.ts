// Answers to ARP requests: the gateway is there, and so is the name server, at the same link address. [RFC 826]
import { etherType, read16, write16 } from '../../../emulator/network/packet';
import { gatewayAddress, gatewayLink, nameServerAddress, sameAddress } from './addresses';
import { ethernetFrame } from './wire';

const messageBytes = 28;
const operation = { request: 1, reply: 2 } as const;

/** @param message what follows the Ethernet header. Undefined: nothing to say. */
export function answerArp(message: Uint8Array): Uint8Array | undefined {
  if (message.length < messageBytes || read16(message, 6) !== operation.request) return undefined;
  if (read16(message, 0) !== 1 || read16(message, 2) !== etherType.ipv4) return undefined;
  const target = message.slice(24, 28);
  if (!sameAddress(target, gatewayAddress) && !sameAddress(target, nameServerAddress)) return undefined;
  const asker = message.slice(8, 18);
  const reply = message.slice(0, messageBytes);
  write16(reply, 6, operation.reply);
  reply.set(gatewayLink, 8);
  reply.set(target, 14);
  reply.set(asker, 18);
  return ethernetFrame(asker.subarray(0, 6), etherType.arp, reply);
}
