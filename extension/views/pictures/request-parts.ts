// What decoders of chains share: bytes of guest memory, the direction of elements, structures as fields.
// Guarantees: reads RAM only, and never throws.
import type { GuestMemory } from '../../../emulator/bus/memory';
import type { Chain, ChainElement } from '../../../emulator/record/events';
import type { NetSubject } from '../../../emulator/virtio/rules/net-request';
import type { View } from '../../../emulator/virtio/rules/rule';
import { readField, type WireStructure } from '../../../emulator/virtio/spec/wire-layout';
import { groupDigits, type DetailField } from '../../../webview/model/inspector';

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
  /** What was negotiated and configured: a network device's headers and queues follow from it. */
  readonly state: NetSubject;
}

/** First bytes of a buffer that are shown when there is no structure to name them. */
const shownBytes = 16;

/** Bytes of guest memory; none where not all of them are RAM. */
export function bytesAt(memory: ChainSubject['memory'], address: bigint, length: number): Uint8Array {
  if (address > BigInt(Number.MAX_SAFE_INTEGER) || !memory.contains(Number(address), length)) return new Uint8Array(0);
  return memory.read(Number(address), length);
}

export const hexBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** The first `wanted` bytes of the device-readable part, across descriptors. */
export function readablePrefix(chain: View<Chain>, memory: ChainSubject['memory'], wanted: number): Uint8Array {
  const prefix: number[] = [];
  for (const element of chain.elements) {
    if (element.deviceWritable || prefix.length >= wanted) continue;
    prefix.push(...bytesAt(memory, element.address, Math.min(element.length, wanted - prefix.length)));
  }
  return Uint8Array.from(prefix);
}

/** Bytes of one direction. */
export function totalOf(chain: View<Chain>, writable: boolean): number {
  return chain.elements.filter((each) => each.deviceWritable === writable).reduce((sum, each) => sum + each.length, 0);
}

/** An element without a structure. */
export function plain(
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
export function structured(
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
