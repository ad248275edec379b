// QEMU's firmware configuration device: a few facts about the machine, by number or by file name, over registers or DMA.
// [QEMU documentation, specs/fw_cfg; binding `qemu,fw-cfg-mmio`]
// Guarantees: whatever a guest writes, nothing outside RAM is touched, and a transfer ends in the store that starts it, as on QEMU.
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import { memoryMap } from './memory-map';

const register = { data: 0, selector: 8, dma: 16 } as const;
/** Numbers of the items that exist on every machine. */
const item = {
  signature: 0,
  id: 1,
  uuid: 2,
  noGraphics: 4,
  harts: 5,
  bootMenu: 0xe,
  directory: 0x19,
  firstFile: 0x20,
} as const;
/** Bits of a selector that name an item; the others are the channel for writes, and items of the architecture. */
const numberMask = 0x3fff;
const architectureItem = 0x8000;
/** ID: the register interface, and DMA. */
const features = 3;
/** What the DMA register reads as: the ASCII text `QEMU CFG`. */
const dmaSignature = 0x5145_4d55_2043_4647n;
const dmaControl = { error: 1, read: 2, skip: 4, select: 8, write: 16 } as const;
/** A request in guest memory, big-endian: control, length, address. */
const request = { bytes: 16, control: 0, length: 4, address: 8 } as const;

/** A request may ask for as much as all of RAM. */
const zeros = new Uint8Array(1 << 16);

export interface FirmwareConfigurationOptions {
  readonly harts: number;
}

interface State {
  selector: number;
  offset: number;
  /** The upper half of a request's address, until the lower one is written. */
  dmaHigh: number;
}

const resetState = (): State => ({ selector: item.signature, offset: 0, dmaHigh: 0 });

export class FirmwareConfiguration implements MmioRegion, Stateful {
  readonly name = 'fw-cfg';
  readonly base = memoryMap.firmwareConfiguration.base;
  readonly sizeBytes = memoryMap.firmwareConfiguration.sizeBytes;
  private readonly items: ReadonlyMap<number, Uint8Array>;
  private state = resetState();

  constructor(
    { harts }: FirmwareConfigurationOptions,
    private readonly memory: GuestMemory,
  ) {
    // No disk geometry or boot order was chosen, and there is no waiting time before a guest is started anew.
    const files = [
      { name: 'bios-geometry', bytes: new Uint8Array(0) },
      { name: 'bootorder', bytes: new Uint8Array(0) },
      { name: 'etc/boot-fail-wait', bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff) },
    ];
    this.items = new Map<number, Uint8Array>([
      [item.signature, ascii('QEMU')],
      [item.id, littleEndian(features, 4)],
      [item.uuid, new Uint8Array(16)],
      [item.noGraphics, littleEndian(0, 2)],
      [item.harts, littleEndian(harts, 2)],
      [item.bootMenu, littleEndian(0, 2)],
      [item.directory, directoryOf(files)],
      ...files.map(({ bytes }, index): [number, Uint8Array] => [item.firstFile + index, bytes]),
    ]);
  }

  read(offset: number, size: AccessSize): bigint | undefined {
    const value = this.peek(offset, size);
    if (offset === register.data) this.advance(size);
    return value;
  }
  /** Data are read from the register's first byte only, and the selector cannot be read. */
  peek(offset: number, size: AccessSize): bigint | undefined {
    if (offset === register.data) return valueOf(this.content(), this.state.offset, size);
    if (offset < register.dma) return undefined;
    const shift = BigInt((8 - (offset - register.dma) - size) * 8);
    return swapped(BigInt.asUintN(size * 8, dmaSignature >> shift), size);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    const bigEndian = swapped(value, size);
    // Items cannot be written.
    if (offset === register.data) return true;
    if (offset < register.dma) {
      if (offset !== register.selector || size !== 2) return false;
      this.select(Number(bigEndian));
      return true;
    }
    return this.writeDma(offset - register.dma, size, bigEndian);
  }

  reset(): void {
    this.state = resetState();
  }
  save(): SavedState {
    return { ...this.state };
  }
  restore(state: SavedState): void {
    this.state = { ...(state as State) };
  }

  /** The selected item; undefined where there is none of that number. */
  private content(): Uint8Array | undefined {
    const { selector } = this.state;
    return (selector & architectureItem) === 0 ? this.items.get(selector & numberMask) : undefined;
  }
  private select(selector: number): void {
    this.state.selector = selector;
    this.state.offset = 0;
  }
  private advance(bytes: number): void {
    const { state } = this;
    state.offset = Math.max(state.offset, Math.min(state.offset + bytes, this.content()?.length ?? 0));
  }

  private writeDma(offset: number, size: AccessSize, value: bigint): boolean {
    if (size === 4 && offset === 0) {
      this.state.dmaHigh = Number(value);
      return true;
    }
    if (size === 4 && offset === 4) this.transfer((BigInt(this.state.dmaHigh) << 32n) | value);
    else if (size === 8 && offset === 0) this.transfer(value);
    else return false;
    return true;
  }

  private transfer(at: bigint): void {
    this.state.dmaHigh = 0;
    const address = placeInMemory(this.memory, at, request.bytes);
    // A request outside memory can be answered nowhere.
    if (address === undefined) return;
    const bytes = this.memory.read(address, request.bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const control = view.getUint32(request.control);
    if ((control & dmaControl.select) !== 0) this.select(control >>> 16);
    const done = this.move(control, view.getUint32(request.length), view.getBigUint64(request.address));
    const answer = new DataView(new ArrayBuffer(4));
    answer.setUint32(0, done ? 0 : dmaControl.error);
    this.memory.write(address + request.control, new Uint8Array(answer.buffer));
  }

  /** Reading comes before writing, and that before skipping, where a request asks for several. False: an error. */
  private move(control: number, length: number, to: bigint): boolean {
    if ((control & dmaControl.read) !== 0) {
      // Behind an item's end there are zeros.
      const target = placeInMemory(this.memory, to, length);
      if (target === undefined) return length === 0;
      const bytes = this.content()?.subarray(this.state.offset, this.state.offset + length) ?? new Uint8Array(0);
      this.memory.write(target, bytes);
      for (let at = bytes.length; at < length; at += zeros.length) {
        this.memory.write(target + at, zeros.subarray(0, length - at));
      }
      this.advance(length);
      return true;
    }
    if ((control & dmaControl.write) !== 0) return length === 0;
    if ((control & dmaControl.skip) !== 0) this.advance(length);
    return true;
  }
}

function placeInMemory(memory: GuestMemory, address: bigint, length: number): number | undefined {
  if (address > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return memory.contains(Number(address), length) ? Number(address) : undefined;
}

/** So many bytes as they would lie in memory, with zeros behind the end. */
function valueOf(bytes: Uint8Array | undefined, offset: number, size: number): bigint {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes?.[offset + index] ?? 0);
  return value;
}

function swapped(value: bigint, size: number): bigint {
  let result = 0n;
  for (let index = 0; index < size; index++) result = (result << 8n) | ((value >> BigInt(index * 8)) & 0xffn);
  return result;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (value >>> (index * 8)) & 0xff);
}

/** How many files there are, and for each its size, its number and its name, big-endian. */
function directoryOf(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Uint8Array {
  const entryBytes = 64;
  const nameOffset = 8;
  const directory = new Uint8Array(4 + files.length * entryBytes);
  const view = new DataView(directory.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, bytes }, index) => {
    const at = 4 + index * entryBytes;
    view.setUint32(at, bytes.length);
    view.setUint16(at + 4, item.firstFile + index);
    directory.set(ascii(name), at + nameOffset);
  });
  return directory;
}
