// The reset ROM: hands each hart over to the software at the start of RAM as QEMU's `virt` does.
// a0 is the hart id, a1 the device tree, a2 the firmware's dynamic information. [OpenSBI, dynamic firmware]
import type { AccessSize, MmioRegion } from '../bus/access';
import { memoryMap } from './memory-map';

const register = { t0: 5, a0: 10, a1: 11, a2: 12 } as const;
const mhartid = 0xf14;

/** Where the words that the code loads stand, in bytes from the ROM's start. */
const place = { start: 0x18, deviceTree: 0x20, dynamicInformation: 0x28 } as const;

/** `OSBI`, layout version 2, next mode S. */
const dynamicMagic = 0x4942534fn;
const dynamicVersion = 2n;
const supervisorMode = 1n;

export interface HandOver {
  /** Where every hart begins in M-mode. */
  readonly start: bigint;
  readonly deviceTree: bigint;
  /** What the firmware starts in S-mode; 0 when there is nothing. */
  readonly next: bigint;
}

const immediate = (value: number): number => (value << 20) >>> 0;
const code: readonly number[] = [
  // auipc t0, 0
  (register.t0 << 7) | 0x17,
  // addi a2, t0, dynamic information
  immediate(place.dynamicInformation) | (register.t0 << 15) | (register.a2 << 7) | 0x13,
  // csrrs a0, mhartid, zero
  immediate(mhartid) | (2 << 12) | (register.a0 << 7) | 0x73,
  // ld a1, device tree(t0)
  immediate(place.deviceTree) | (register.t0 << 15) | (3 << 12) | (register.a1 << 7) | 0x03,
  // ld t0, start(t0)
  immediate(place.start) | (register.t0 << 15) | (3 << 12) | (register.t0 << 7) | 0x03,
  // jalr zero, 0(t0)
  (register.t0 << 15) | 0x67,
];

/** The ROM's content up to its last word that is not zero. */
export function resetRomContent(handOver: HandOver): Uint8Array {
  const bytes = new Uint8Array(place.dynamicInformation + 6 * 8);
  const view = new DataView(bytes.buffer);
  code.forEach((instruction, index) => view.setUint32(index * 4, instruction, true));
  view.setBigUint64(place.start, handOver.start, true);
  view.setBigUint64(place.deviceTree, handOver.deviceTree, true);
  const bootHart = 0n;
  const options = 0n;
  [dynamicMagic, dynamicVersion, handOver.next, supervisorMode, options, bootHart].forEach((value, index) =>
    view.setBigUint64(place.dynamicInformation + index * 8, value, true),
  );
  return bytes;
}

/** What the code leaves in the registers of a hart when it jumps: for harts that are started behind it. */
export function registersAfterResetRom(hart: number, handOver: HandOver): readonly (readonly [number, bigint])[] {
  return [
    [register.t0, handOver.start],
    [register.a0, BigInt(hart)],
    [register.a1, handOver.deviceTree],
    [register.a2, BigInt(memoryMap.resetRom.base + place.dynamicInformation)],
  ];
}

export class ResetRom implements MmioRegion {
  readonly name = 'reset ROM';
  readonly base = memoryMap.resetRom.base;
  readonly sizeBytes = memoryMap.resetRom.sizeBytes;

  constructor(private readonly content: Uint8Array) {}

  read(offset: number, size: AccessSize): bigint {
    return this.peek(offset, size);
  }
  peek(offset: number, size: AccessSize): bigint {
    let value = 0n;
    for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(this.content[offset + index] ?? 0);
    return value;
  }
  /** Stores to the ROM have no effect and do not fault, as on QEMU. */
  write(): boolean {
    return true;
  }
}
