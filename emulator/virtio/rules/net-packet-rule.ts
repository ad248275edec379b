// What a rule about a sent packet is made of: when it is asked, what it shows, and the questions that several rules ask of a packet.
// [virtio 1.4, 5.1.9.2]
import { describeFrame } from '../../network/describe';
import { ethernetHeaderBytes, tcpFlag } from '../../network/packet';
import type { ChainElement } from '../../record/events';
import { deviceId } from '../spec/device-id';
import { featureName, hasFeature } from '../spec/feature';
import { gsoBit, gsoType, netHeaderFlag } from '../spec/net-header';
import { elementFinding, elementPlace, type Publish } from './chain-evidence';
import { hex, seen } from './evidence';
import { isReadable, readSentPacket, roleOf, type SentPacket } from './net-request';
import { type Finding, type Needs, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type Texts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers'> &
  Partial<Pick<RuleTexts, 'section' | 'follows' | 'blames' | 'once'>> & { readonly needs?: Needs };
type Judge = (
  packet: SentPacket,
  at: RuleContext,
  fact: Publish,
) => undefined | string | readonly [string, ChainElement | undefined];

const { NONE } = gsoType;
/** Bits of `gso_type` that name an inner packet. */
export const tunnelBits = gsoBit.UDP_TUNNEL_IPV4 | gsoBit.UDP_TUNNEL_IPV6;

/** A rule about each packet that is published. A message with an element is blamed on the store of that element's length. */
export function packetRule(texts: Texts, judge: Judge): Rule {
  return rule('net', {
    section: '5.1.9.2.1',
    blames: 'publish',
    ...texts,
    needs: { device: deviceId.net, ...texts.needs },
    on: ['publish'],
    broken: (fact, at) => {
      if (roleOf(at.device, fact.queue) !== 'transmit') return false;
      return fact.chains.filter(isReadable).flatMap((chain) => {
        const packet = readSentPacket(chain, at.device.features.accepted, at.memory);
        const found = judge(packet, at, fact);
        return found === undefined ? [] : [packetFinding(packet, found, at, fact)];
      });
    },
  });
}

function packetFinding(
  packet: SentPacket,
  found: string | readonly [string, ChainElement | undefined],
  at: RuleContext,
  fact: Publish,
): Finding {
  const [message, element] = typeof found === 'string' ? [found, undefined] : found;
  const text = `Queue ${fact.queue}, chain ${packet.chain.head}: ${message}.`;
  const evidence = [
    seen('packet', describeFrame(packet.frame)),
    seen('packet bytes', packet.frame.length),
    seen('flags', hex(packet.flags)),
    seen('gso_type', hex(packet.gsoType | packet.gsoBits)),
    seen('hdr_len', packet.headerLength),
    seen('gso_size', packet.gsoSize),
    seen('csum_start', packet.checksumStart),
    seen('csum_offset', packet.checksumOffset),
  ];
  if (element !== undefined) {
    const finding = elementFinding(fact, at, packet.chain, element, 'len', text);
    return { ...finding, evidence: [...evidence, ...finding.evidence] };
  }
  const first = packet.chain.elements[0];
  const place =
    first === undefined
      ? ({ kind: 'descriptor', queue: fact.queue, index: packet.chain.head } as const)
      : elementPlace(fact.queue, first, 'addr');
  return { message: text, evidence, place };
}

/** Lengths that the header has with one set of features or another. [virtio 1.4, 5.1.6] */
const headerLengths: readonly number[] = [10, 12, 20, 24, 32];

/** The first descriptor is as long as the header would be with other features, and a frame begins behind it. */
export function seemsShifted({ chain, headerBytes }: SentPacket): boolean {
  const [first, second] = chain.elements;
  if (first === undefined || second === undefined || second.length < ethernetHeaderBytes) return false;
  return first.length !== headerBytes && headerLengths.includes(first.length);
}

/** Long enough for a header and a frame. */
export const isLongEnough = (packet: SentPacket): boolean =>
  packet.readableBytes >= packet.headerBytes + ethernetHeaderBytes;
/** Whether the fields of the header can be believed. */
export const isWhole = (packet: SentPacket): boolean => isLongEnough(packet) && !seemsShifted(packet);
export const has = (at: RuleContext, bit: number): boolean => hasFeature(at.device.features.accepted, bit);
export const name = (bit: number): string => featureName(deviceId.net, bit);
export const isGso = (packet: SentPacket): boolean => isWhole(packet) && packet.gsoType !== NONE;
export const isTunnel = (packet: SentPacket): boolean => isWhole(packet) && (packet.gsoBits & tunnelBits) !== 0;
export const isMarked = ({ frame, packet }: SentPacket): boolean =>
  packet?.transport?.kind === 'tcp' && ((frame[packet.transport.offset + 13] ?? 0) & tcpFlag.CWR) !== 0;
export const needsChecksum = (packet: SentPacket): boolean =>
  isWhole(packet) && (packet.flags & netHeaderFlag.NEEDS_CSUM) !== 0 && (packet.gsoBits & tunnelBits) === 0;
export const sameSum = (a: number, b: number): boolean => a % 0xffff === b % 0xffff;

/** Bytes up to and including the transport header. */
export function headersOf({ packet }: SentPacket): number | undefined {
  return packet?.transport === undefined ? undefined : packet.transport.offset + packet.transport.headerBytes;
}
