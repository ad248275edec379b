// What a chain of a network device asks: a packet to send, room for one that comes in, a command. [virtio 1.4, 5.1.9, 5.1.9.5]
import { describeFrame } from '../../../emulator/network/describe';
import type { Chain } from '../../../emulator/record/events';
import type { View } from '../../../emulator/virtio/rules/rule';
import { roleOf } from '../../../emulator/virtio/rules/net-request';
import { controlAnswer, controlCommandOf } from '../../../emulator/virtio/spec/net-control';
import {
  gsoBit,
  gsoType,
  netHashHeader,
  netHeader,
  netHeaderBytes,
  netHeaderFlag,
} from '../../../emulator/virtio/spec/net-header';
import type { WireStructure } from '../../../emulator/virtio/spec/wire-layout';
import { formatBytes } from '../../../webview/model/inspector';
import {
  bytesAt,
  type ChainSubject,
  type DecodedChain,
  type DecodedElement,
  plain,
  readablePrefix,
  structured,
  totalOf,
} from './request-parts';

/** Enough of a frame to say what it is. */
const describedBytes = 128;

/** Undefined for a queue that the driver has no use for. */
export function decodeNet(chain: View<Chain>, subject: ChainSubject): DecodedChain | undefined {
  switch (roleOf(subject.state, subject.queue)) {
    case 'transmit':
      return decodePacket(chain, subject, false);
    case 'receive':
      return decodePacket(chain, subject, true);
    case 'control':
      return decodeCommand(chain, subject);
    default:
      return undefined;
  }
}

function decodePacket(chain: View<Chain>, subject: ChainSubject, incoming: boolean): DecodedChain {
  const headerBytes = netHeaderBytes(subject.state.features.accepted);
  const layout = headerOf(headerBytes);
  const bytes = prefix(chain, subject, incoming, headerBytes + describedBytes);
  const filled = !incoming || subject.answered;
  let start = 0;
  const elements = chain.elements.map((element): DecodedElement => {
    const from = start;
    if (element.deviceWritable === incoming) start += element.length;
    if (!filled || element.deviceWritable !== incoming) return plain(element, subject, incoming ? 'room' : 'data');
    if (from > 0) return plain(element, subject, 'frame');
    if (element.length < layout.size) return plain(element, subject, 'header');
    const role = element.length > headerBytes ? 'header, frame' : 'header';
    return { role, note: noteOf(bytes), strong: false, ...structured(layout, bytes, meaningOf) };
  });
  const frame = describeFrame(bytes.subarray(headerBytes));
  const request = filled
    ? `${incoming ? 'received' : 'send'} ${frame}`
    : `room for ${formatBytes(Math.max(0, totalOf(chain, true) - headerBytes))} of packet`;
  return { request, elements };
}

function headerOf(bytes: number): WireStructure {
  if (bytes >= netHashHeader.size) return netHashHeader;
  return bytes >= netHeader.size ? netHeader : { ...netHeader, size: bytes, fields: netHeader.fields.slice(0, -1) };
}

/** The first bytes of one direction, across descriptors. */
function prefix(chain: View<Chain>, subject: ChainSubject, writable: boolean, wanted: number): Uint8Array {
  if (!writable) return readablePrefix(chain, subject.memory, wanted);
  const bytes: number[] = [];
  for (const { deviceWritable, address, length } of chain.elements) {
    if (!deviceWritable || bytes.length >= wanted) continue;
    bytes.push(...bytesAt(subject.memory, address, Math.min(length, wanted - bytes.length)));
  }
  return Uint8Array.from(bytes);
}

function noteOf(header: Uint8Array): string {
  const kind = nameOf(gsoType, (header[1] ?? 0) & ~0xe0);
  return kind === 'NONE' ? flagsText(header[0] ?? 0) : `GSO ${kind ?? '?'}`;
}

function meaningOf(name: string, value: bigint): string | undefined {
  if (name === 'flags') return flagsText(Number(value)) || 'none';
  if (name !== 'gso_type') return undefined;
  const bits = Object.entries(gsoBit).filter(([, bit]) => (Number(value) & bit) !== 0);
  return [nameOf(gsoType, Number(value) & ~0xe0) ?? 'not defined', ...bits.map(([bit]) => bit)].join(' | ');
}

function flagsText(flags: number): string {
  return Object.entries(netHeaderFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join(' | ');
}

function nameOf(table: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.entries(table).find(([, each]) => each === value)?.[0];
}

function decodeCommand(chain: View<Chain>, subject: ChainSubject): DecodedChain {
  const [ofClass = 0, number = 0] = readablePrefix(chain, subject.memory, 2);
  const row = controlCommandOf(ofClass, number);
  const short = row?.name.replace('VIRTIO_NET_CTRL_', '') ?? `${ofClass}.${number}`;
  let readable = 0;
  let hasAnswer = false;
  const elements = chain.elements.map((element): DecodedElement => {
    if (!element.deviceWritable) {
      const isFirst = readable === 0;
      readable += element.length;
      return plain(element, subject, isFirst ? 'command' : 'data', isFirst ? short : '');
    }
    if (hasAnswer) return plain(element, subject, 'result');
    hasAnswer = true;
    const answer = bytesAt(subject.memory, element.address, 1)[0];
    const note = subject.answered ? (nameOf(controlAnswer, answer ?? -1) ?? 'unreadable') : 'not set';
    return plain(element, subject, 'answer', note, subject.answered);
  });
  const request = readable < 2 ? 'no complete command' : (row?.meaning ?? `unknown command ${ofClass}.${number}`);
  return { request, elements };
}
