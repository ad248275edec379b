// What a chain asks of its device, read from guest memory without executing it. Framing does not depend on how the driver cut the
// buffer into descriptors. [virtio 1.4, 5.2.6, 5.3.6, 5.4.6]
import type { GuestMemory } from '../../../emulator/bus/memory';
import type { Chain, ChainElement } from '../../../emulator/record/events';
import type { View } from '../../../emulator/virtio/rules/rule';
import { blockRequestHeader, blockRequestTypes, blockStatus, sectorBytes } from '../../../emulator/virtio/spec/block';
import { consoleQueue } from '../../../emulator/virtio/spec/console';
import { deviceId } from '../../../emulator/virtio/spec/device-id';
import { readField, type WireStructure } from '../../../emulator/virtio/spec/wire-layout';
import { formatBytes, groupDigits, type DetailField } from '../../../webview/model/inspector';

export interface DecodedElement {
  /** `header`, `data`, `status`. */
  readonly role: string;
  /** A word for the card: `IN`, `OK`. */
  readonly note: string;
  readonly strong: boolean;
  /** Bytes in memory order, one group for each field; the first few where there are no fields. */
  readonly bytes: readonly string[];
  readonly fields: readonly DetailField[];
}
export interface DecodedChain {
  /** `read 4 KiB, sector 2,048`. */
  readonly request: string;
  /** For each element of the chain, in order. */
  readonly elements: readonly DecodedElement[];
}

/** What decoding needs to know beside the chain. */
export interface ChainSubject {
  readonly deviceId: number;
  readonly queue: number;
  readonly memory: Pick<GuestMemory, 'contains' | 'read'>;
  /** Whether the device has written its part: before that the status byte means nothing. */
  readonly answered: boolean;
}

/** First bytes of a buffer that are shown when there is no structure to name them. */
const shownBytes = 16;
/** Bytes of a text that a sentence quotes. */
const quotedBytes = 24;

function bytesAt(memory: ChainSubject['memory'], address: bigint, length: number): Uint8Array {
  if (address > BigInt(Number.MAX_SAFE_INTEGER) || !memory.contains(Number(address), length)) return new Uint8Array(0);
  return memory.read(Number(address), length);
}

const hexBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** The first `wanted` bytes of the device-readable part, across descriptors. */
function readablePrefix(chain: View<Chain>, memory: ChainSubject['memory'], wanted: number): Uint8Array {
  const prefix: number[] = [];
  for (const element of chain.elements) {
    if (element.deviceWritable || prefix.length >= wanted) continue;
    prefix.push(...bytesAt(memory, element.address, Math.min(element.length, wanted - prefix.length)));
  }
  return Uint8Array.from(prefix);
}

function totalOf(chain: View<Chain>, writable: boolean): number {
  return chain.elements.filter((each) => each.deviceWritable === writable).reduce((sum, each) => sum + each.length, 0);
}

function plain(
  element: View<ChainElement>,
  subject: ChainSubject,
  role = 'data',
  note = '',
  strong = false,
): DecodedElement {
  const bytes = bytesAt(subject.memory, element.address, Math.min(element.length, shownBytes));
  return { role, note, strong, bytes: bytes.length === 0 ? [] : [hexBytes(bytes)], fields: [] };
}

/** Bytes and fields of a structure at the start of a buffer. */
function structured(
  structure: WireStructure,
  bytes: Uint8Array,
  meaning: (name: string, value: bigint) => string | undefined,
): Pick<DecodedElement, 'bytes' | 'fields'> {
  return {
    bytes: structure.fields.map((field) => hexBytes(bytes.subarray(field.offset, field.offset + field.size))),
    fields: structure.fields.map((field) => {
      const value = readField(structure, field.name, bytes);
      return {
        offset: `+${field.offset}`,
        name: field.name,
        value: groupDigits(value),
        meaning: meaning(field.name, value) ?? field.meaning,
      };
    }),
  };
}

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
  return subject.deviceId === deviceId.block ? decodeBlock(chain, subject) : decodePlain(chain, subject);
}
