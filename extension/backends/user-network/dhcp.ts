// A DHCP server with one address to give. [RFC 2131, 2132]
import { read32, write32 } from '../../../emulator/network/packet';
import { domainName, gatewayAddress, guestAddress, nameServerAddress, networkMask, sameAddress } from './addresses';

export const dhcpPorts = { server: 67, client: 68 } as const;

const messageType = { discover: 1, offer: 2, request: 3, decline: 4, acknowledge: 5, refuse: 6, release: 7, inform: 8 } as const; // prettier-ignore
const option = { mask: 1, router: 3, nameServer: 6, domain: 15, requested: 50, lease: 51, type: 53, server: 54, bootFile: 67, end: 255 } as const; // prettier-ignore
const fixedBytes = 236;
const cookie = 0x6382_5363;
const leaseSeconds = 86_400;
/** Shorter messages than BOOTP's are dropped by some clients. */
const shortestBytes = 300;
const broadcastFlag = 0x80;

export interface DhcpAnswer {
  readonly message: Uint8Array;
  /** To everybody, because the client has no address yet or asked for it. */
  readonly broadcast: boolean;
}

/** @param bootFile name of the file to load by TFTP from the gateway. Undefined: nothing to say. */
export function answerDhcp(message: Uint8Array, bootFile: string | undefined): DhcpAnswer | undefined {
  if (message.length < fixedBytes + 4 || message[0] !== 1 || read32(message, fixedBytes) !== cookie) return undefined;
  const options = readOptions(message);
  const answerType = answerTypeOf(message, options);
  if (answerType === undefined) return undefined;
  const reply = new Uint8Array(Math.max(shortestBytes, fixedBytes + 4 + 128));
  reply.set(message.subarray(0, 8));
  reply[0] = 2;
  reply.set(message.subarray(10, 12), 10);
  // ciaddr, giaddr and the client's link address come back as they were.
  reply.set(message.subarray(12, 16), 12);
  reply.set(message.subarray(24, 44), 24);
  write32(reply, fixedBytes, cookie);
  const refused = answerType === messageType.refuse;
  if (!refused) {
    const informed = options.get(option.type)?.[0] === messageType.inform;
    if (!informed) reply.set(guestAddress, 16);
    reply.set(gatewayAddress, 20);
    if (bootFile !== undefined) reply.set(new TextEncoder().encode(bootFile).subarray(0, 127), 108);
  }
  writeOptions(reply, [
    [option.type, [answerType]],
    [option.server, gatewayAddress],
    ...(refused
      ? []
      : ([
          [option.lease, [0, leaseSeconds >> 16, (leaseSeconds >> 8) & 0xff, leaseSeconds & 0xff]],
          [option.mask, networkMask],
          [option.router, gatewayAddress],
          [option.nameServer, nameServerAddress],
          [option.domain, [...new TextEncoder().encode(domainName)]],
        ] as const)),
  ]);
  const hasAddress = !sameAddress(message.subarray(12, 16), [0, 0, 0, 0]);
  return { message: reply, broadcast: refused || !hasAddress || ((message[10] ?? 0) & broadcastFlag) !== 0 };
}

function answerTypeOf(message: Uint8Array, options: ReadonlyMap<number, Uint8Array>): number | undefined {
  switch (options.get(option.type)?.[0]) {
    case undefined:
      // A BOOTP client sends no type and expects none that it does not know.
      return messageType.offer;
    case messageType.discover:
      return messageType.offer;
    case messageType.request: {
      const wanted = options.get(option.requested) ?? message.slice(12, 16);
      const server = options.get(option.server);
      if (server !== undefined && !sameAddress(server, gatewayAddress)) return undefined;
      return sameAddress(wanted, guestAddress) ? messageType.acknowledge : messageType.refuse;
    }
    case messageType.inform:
      return messageType.acknowledge;
    default:
      return undefined;
  }
}

function readOptions(message: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = fixedBytes + 4; at < message.length;) {
    const code = message[at] ?? option.end;
    if (code === option.end) break;
    if (code === 0) {
      at++;
      continue;
    }
    const length = message[at + 1] ?? 0;
    options.set(code, message.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function writeOptions(reply: Uint8Array, options: readonly (readonly [number, readonly number[]])[]): void {
  let at = fixedBytes + 4;
  for (const [code, bytes] of options) {
    reply.set([code, bytes.length, ...bytes], at);
    at += 2 + bytes.length;
  }
  reply[at] = option.end;
}
