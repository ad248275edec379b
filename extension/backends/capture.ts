// Packet captures: writes what passes a network device into a pcapng file, and reads the frames of one for replay.
// [draft-ietf-opsawg-pcapng: section header, interface description and enhanced packet blocks]
// Guarantees: reading never looks beyond the file's bytes, and says what is wrong with a file that is none.
import * as fs from 'node:fs';
import type { netChannel } from '../../emulator/virtio/device/net/net';

type Direction = (typeof netChannel)[keyof typeof netChannel];

const blockType = { section: 0x0a0d0d0a, interface: 1, simplePacket: 3, enhancedPacket: 6 } as const;
const byteOrderMagic = 0x1a2b3c4d;
const linkTypeEthernet = 1;
const optionName = 2;
const optionTimeResolution = 9;
const optionFlags = 2;
/** Nanoseconds, as a negative power of ten. */
const nanosecondResolution = 9;
/** Bits of the flags option: seen from the guest's interface. */
const directionBits: Readonly<Record<Direction, number>> = { received: 1, sent: 2 };

/** Why a capture cannot be written or read; names the file. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
}

/** Writes frames of one or more interfaces, stamped with virtual time. Several devices may share one. */
export class CaptureWriter {
  private readonly descriptor: number;
  private readonly interfaces: string[] = [];
  private open = true;
  /** What the host said when it could write no more. */
  problem: string | undefined;

  /** @throws CaptureError when the file cannot be created */
  constructor(readonly file: string) {
    try {
      this.descriptor = fs.openSync(file, 'w');
    } catch (error) {
      throw new CaptureError(`capture ${file} cannot be written (${codeOf(error)}); choose another file`);
    }
    const body = new Uint8Array(16);
    const view = new DataView(body.buffer);
    view.setUint32(0, byteOrderMagic, true);
    view.setUint16(4, 1, true);
    view.setBigInt64(8, -1n, true);
    this.append(block(blockType.section, body));
  }

  write(name: string, direction: Direction, frame: Uint8Array, nanoseconds: number): void {
    const padded = pad(frame.length);
    const body = new Uint8Array(20 + padded + 12);
    const view = new DataView(body.buffer);
    const time = BigInt(Math.max(0, Math.floor(nanoseconds)));
    view.setUint32(0, this.interfaceOf(name), true);
    view.setUint32(4, Number(time >> 32n), true);
    view.setUint32(8, Number(time & 0xffff_ffffn), true);
    view.setUint32(12, frame.length, true);
    view.setUint32(16, frame.length, true);
    body.set(frame, 20);
    view.setUint16(20 + padded, optionFlags, true);
    view.setUint16(22 + padded, 4, true);
    view.setUint32(24 + padded, directionBits[direction], true);
    this.append(block(blockType.enhancedPacket, body));
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    fs.closeSync(this.descriptor);
  }

  private interfaceOf(name: string): number {
    const known = this.interfaces.indexOf(name);
    if (known >= 0) return known;
    const text = new TextEncoder().encode(name);
    const body = new Uint8Array(8 + 4 + pad(text.length) + 8 + 4);
    const view = new DataView(body.buffer);
    view.setUint16(0, linkTypeEthernet, true);
    view.setUint16(8, optionName, true);
    view.setUint16(10, text.length, true);
    body.set(text, 12);
    const next = 12 + pad(text.length);
    view.setUint16(next, optionTimeResolution, true);
    view.setUint16(next + 2, 1, true);
    body[next + 4] = nanosecondResolution;
    this.append(block(blockType.interface, body));
    return this.interfaces.push(name) - 1;
  }

  private append(bytes: Uint8Array): void {
    if (!this.open || this.problem !== undefined) return;
    try {
      fs.writeSync(this.descriptor, bytes);
    } catch (error) {
      this.problem = `capture ${this.file}: ${codeOf(error)}`;
    }
  }
}

/** Type, length, body, length. */
function block(type: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, bytes.length, true);
  return bytes;
}

function pad(length: number): number {
  return (length + 3) & ~3;
}

export interface CapturedFrame {
  readonly bytes: Uint8Array;
  /** Since the first frame of the file. */
  readonly nanoseconds: number;
  /** Undefined where the file does not tell. */
  readonly direction: Direction | undefined;
}

/** Captures larger than this are a mistake more often than a test. */
const greatestCaptureBytes = 256 * 1024 * 1024;

/** The Ethernet frames of a pcapng file. @throws CaptureError when it cannot be read or is none */
export function readCapture(file: string): readonly CapturedFrame[] {
  let bytes: Uint8Array;
  try {
    if (fs.statSync(file).size > greatestCaptureBytes) throw new CaptureError(`capture ${file} is larger than 256 MiB`);
    bytes = new Uint8Array(fs.readFileSync(file));
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    throw new CaptureError(`capture ${file} cannot be read (${codeOf(error)}); check the path`);
  }
  try {
    return decodeCapture(bytes);
  } catch (error) {
    throw new CaptureError(`capture ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws Error saying what is wrong with the bytes */
export function decodeCapture(bytes: Uint8Array): readonly CapturedFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let littleEndian = true;
  let interfaces: { link: number; nanosecondsPerUnit: number }[] = [];
  const frames: { bytes: Uint8Array; time: number; direction: Direction | undefined }[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 12 > bytes.length) throw new Error(`a block is cut off at byte ${at}`);
    const type = view.getUint32(at, littleEndian);
    if (type === blockType.section) {
      littleEndian = view.getUint32(at + 8, true) === byteOrderMagic;
      if (!littleEndian && view.getUint32(at + 8, false) !== byteOrderMagic) throw new Error('it is no pcapng file');
      interfaces = [];
    } else if (at === 0) throw new Error('it is no pcapng file');
    const length = view.getUint32(at + 4, littleEndian);
    if (length < 12 || length % 4 !== 0 || at + length > bytes.length) {
      throw new Error(`a block at byte ${at} claims ${length} bytes`);
    }
    const body = new DataView(bytes.buffer, bytes.byteOffset + at + 8, length - 12);
    if (type === blockType.interface && body.byteLength >= 8) {
      const resolution = optionsOf(body, 8, littleEndian).get(optionTimeResolution)?.[0] ?? 6;
      const unit = (resolution & 0x80) === 0 ? 10 ** -resolution : 2 ** -(resolution & 0x7f);
      interfaces.push({ link: body.getUint16(0, littleEndian), nanosecondsPerUnit: unit * 1e9 });
    } else if (type === blockType.enhancedPacket && body.byteLength >= 20) {
      const from = interfaces[body.getUint32(0, littleEndian)];
      const captured = body.getUint32(12, littleEndian);
      if (from === undefined || 20 + captured > body.byteLength)
        throw new Error(`a packet at byte ${at} makes no sense`);
      if (from.link === linkTypeEthernet) {
        const units = body.getUint32(4, littleEndian) * 2 ** 32 + body.getUint32(8, littleEndian);
        const flags = optionsOf(body, 20 + pad(captured), littleEndian).get(optionFlags);
        const mark = ((littleEndian ? flags?.[0] : flags?.[3]) ?? 0) & 3;
        frames.push({
          bytes: bytes.slice(at + 28, at + 28 + captured),
          time: units * from.nanosecondsPerUnit,
          direction: mark === directionBits.received ? 'received' : mark === directionBits.sent ? 'sent' : undefined,
        });
      }
    } else if (type === blockType.simplePacket) throw new Error('it holds packets without a time');
    at += length;
  }
  const first = frames[0]?.time ?? 0;
  return frames.map((frame) => ({
    bytes: frame.bytes,
    nanoseconds: Math.max(0, Math.round(frame.time - first)),
    direction: frame.direction,
  }));
}

function optionsOf(body: DataView, start: number, littleEndian: boolean): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = start; at + 4 <= body.byteLength;) {
    const code = body.getUint16(at, littleEndian);
    const length = body.getUint16(at + 2, littleEndian);
    if (code === 0 || at + 4 + length > body.byteLength) break;
    options.set(code, new Uint8Array(body.buffer, body.byteOffset + at + 4, length));
    at += 4 + pad(length);
  }
  return options;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
