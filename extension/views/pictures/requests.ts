// What a chain asks of its device, read from guest memory without executing it. Framing does not depend on how the driver cut the
// buffer into descriptors. [virtio 1.4, 5.2.6, 5.3.6, 5.4.6]
import type { Chain } from '../../../emulator/record/events';
import type { View } from '../../../emulator/virtio/rules/rule';
import { blockRequestHeader, blockRequestTypes, blockStatus, sectorBytes } from '../../../emulator/virtio/spec/block';
import { consoleQueue } from '../../../emulator/virtio/spec/console';
import { deviceId } from '../../../emulator/virtio/spec/device-id';
import { readField } from '../../../emulator/virtio/spec/wire-layout';
import { formatBytes, groupDigits } from '../../../webview/model/inspector';
import { decodeNet } from './net-requests';
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

export type { ChainSubject, DecodedChain, DecodedElement } from './request-parts';

/** Bytes of a text that a sentence quotes. */
const quotedBytes = 24;

function statusNote(byte: number | undefined): string {
  const name = Object.entries(blockStatus).find(([, value]) => value === byte)?.[0];
  return name ?? (byte === undefined ? 'unreadable' : `0x${byte.toString(16)}`);
}

function decodeBlock(chain: View<Chain>, subject: ChainSubject): DecodedChain {
  const header = readablePrefix(chain, subject.memory, blockRequestHeader.size);
  const complete = header.length === blockRequestHeader.size;
  const type = Number(readField(blockRequestHeader, 'type', header));
  const sector = readField(blockRequestHeader, 'sector', header);
  const row = blockRequestTypes.find((each) => each.type === type);
  const out = totalOf(chain, false) - blockRequestHeader.size;
  const back = totalOf(chain, true) - 1;
  const short = row?.name.replace('VIRTIO_BLK_T_', '') ?? `type ${type}`;
  const meaning = (name: string, value: bigint): string | undefined => {
    if (name === 'type') return row === undefined ? 'no request type of virtio 1.4' : `${row.name}: ${row.meaning}`;
    return name === 'sector' ? `byte ${groupDigits(value * BigInt(sectorBytes))}` : undefined;
  };

  let readable = 0;
  let writable = 0;
  const elements = chain.elements.map((element): DecodedElement => {
    if (!element.deviceWritable) {
      const start = readable;
      readable += element.length;
      if (start > 0 || element.length < blockRequestHeader.size)
        return plain(element, subject, start < blockRequestHeader.size ? 'header' : 'data');
      const role = element.length > blockRequestHeader.size ? 'header, data' : 'header';
      return { role, note: short, strong: false, ...structured(blockRequestHeader, header, meaning) };
    }
    writable += element.length;
    if (writable !== back + 1 || element.length === 0) return plain(element, subject);
    const status = bytesAt(subject.memory, element.address + BigInt(element.length - 1), 1)[0];
    const role = element.length === 1 ? 'status' : 'data, status';
    return plain(element, subject, role, subject.answered ? statusNote(status) : 'not set', subject.answered);
  });
  return { request: complete ? blockText(type, row, sector, out, back) : 'no complete request header', elements };
}

function blockText(
  type: number,
  row: (typeof blockRequestTypes)[number] | undefined,
  sector: bigint,
  out: number,
  back: number,
): string {
  if (row === undefined) return `unknown request type ${type}`;
  const bytes = row.data === 'from device' ? back : row.data === 'to device' ? out : 0;
  if (row.meaning === 'read' || row.meaning === 'write')
    return `${row.meaning} ${formatBytes(Math.max(0, bytes))}, sector ${groupDigits(sector)}`;
  return row.data === 'to device' ? `${row.meaning}, ${formatBytes(Math.max(0, bytes))} of segments` : row.meaning;
}

function quoted(bytes: Uint8Array): string {
  const text = Array.from(bytes.subarray(0, quotedBytes), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·',
  ).join('');
  return `"${text}${bytes.length > quotedBytes ? '…' : ''}"`;
}

function decodePlain(chain: View<Chain>, subject: ChainSubject): DecodedChain {
  const elements = chain.elements.map((element) => plain(element, subject));
  const out = totalOf(chain, false);
  const back = totalOf(chain, true);
  if (subject.deviceId === deviceId.entropy) return { request: `${formatBytes(back)} of entropy`, elements };
  if (subject.deviceId === deviceId.console && subject.queue === consoleQueue.receive)
    return { request: `room for ${formatBytes(back)} of input`, elements };
  if (subject.deviceId === deviceId.console && subject.queue === consoleQueue.transmit) {
    const text = readablePrefix(chain, subject.memory, quotedBytes + 1);
    return { request: `send ${formatBytes(out)} ${quoted(text)}`, elements };
  }
  return { request: `${formatBytes(out)} to the device, ${formatBytes(back)} back`, elements };
}

/** The request in words and the role of each element. Never throws; what cannot be read is left out. */
export function decodeChain(chain: View<Chain>, subject: ChainSubject): DecodedChain {
  if (subject.deviceId === deviceId.block) return decodeBlock(chain, subject);
  return (subject.deviceId === deviceId.net ? decodeNet(chain, subject) : undefined) ?? decodePlain(chain, subject);
}
