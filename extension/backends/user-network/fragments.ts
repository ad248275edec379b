// Puts the fragments of the guest's datagrams together. [RFC 791, 3.2]
// Guarantees: keeps a few datagrams of at most 65,535 bytes; what overlaps or never becomes whole is dropped.
import {
  ethernetHeaderBytes,
  fillHeaderChecksum,
  type InternetPart,
  internetPayload,
  read16,
  write16,
} from '../../../emulator/network/packet';

const moreFragments = 0x2000;
const offsetMask = 0x1fff;
const greatestPending = 16;
const greatestDatagramBytes = 65_535;
const greatestParts = 64;

interface Pending {
  readonly parts: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Bytes of the whole payload, once the last fragment is there. */
  total: number | undefined;
}

/** Whether a packet is one of several. */
export function isFragment(frame: Uint8Array, { offset }: InternetPart): boolean {
  return (read16(frame, offset + 6) & (moreFragments | offsetMask)) !== 0;
}

export class Fragments {
  private readonly pending = new Map<string, Pending>();

  /** The whole frame, when this was its last missing fragment. */
  add(frame: Uint8Array, internet: InternetPart): Uint8Array | undefined {
    const word = read16(frame, internet.offset + 6);
    const offset = (word & offsetMask) * 8;
    const bytes = internetPayload(frame, internet).slice();
    const identification = read16(frame, internet.offset + 4);
    const key = `${internet.source.join('.')} ${internet.destination.join('.')} ${internet.protocol} ${identification}`;
    const pending = this.pending.get(key) ?? this.begin(key);
    const overlaps = pending.parts.some(
      (part) => offset < part.offset + part.bytes.length && part.offset < offset + bytes.length,
    );
    if (overlaps || offset + bytes.length > greatestDatagramBytes - 20 || pending.parts.length >= greatestParts) {
      this.pending.delete(key);
      return undefined;
    }
    pending.parts.push({ offset, bytes });
    if ((word & moreFragments) === 0) pending.total = offset + bytes.length;
    const { parts, total } = pending;
    const have = parts.reduce((sum, part) => sum + part.bytes.length, 0);
    if (total === undefined || have < total) return undefined;
    this.pending.delete(key);
    // As much as the last one says, without overlaps: it is whole when nothing lies behind that end.
    const isWhole = parts.every((part) => part.offset + part.bytes.length <= total);
    return isWhole ? join(frame, internet, parts, total) : undefined;
  }

  /** The oldest one gives way. */
  private begin(key: string): Pending {
    const [oldest] = this.pending.keys();
    if (this.pending.size >= greatestPending && oldest !== undefined) this.pending.delete(oldest);
    const pending: Pending = { parts: [], total: undefined };
    this.pending.set(key, pending);
    return pending;
  }
}

/** With the headers of one of its fragments. */
function join(frame: Uint8Array, internet: InternetPart, parts: Pending['parts'], total: number): Uint8Array {
  const start = ethernetHeaderBytes + internet.headerBytes;
  const whole = new Uint8Array(start + total);
  whole.set(frame.subarray(0, start));
  for (const { offset, bytes } of parts) whole.set(bytes, start + offset);
  write16(whole, internet.offset + 2, internet.headerBytes + total);
  write16(whole, internet.offset + 6, 0);
  fillHeaderChecksum(whole, internet);
  return whole;
}
