// What a guest's PCI code does before a driver starts: looks at a function through ECAM, sizes and places its base address registers,
// reads its capabilities. Kept apart from the drivers so that scripts can do each step wrong. [PCI Local Bus 3.0, 6; virtio 1.4, 4.1.4]
import type { AccessSize } from '../../emulator/bus/access';
import { memoryMap } from '../../emulator/board/memory-map';
import type { Bench } from './bench';

export interface FoundStructure {
  /** Of the capability. */
  readonly at: number;
  readonly cfgType: number;
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
}

const vendorType = 9;
const noBar = 0xff;

const command = { ioSpace: 1, memorySpace: 2, busMaster: 4 } as const;

export class PciBus {
  /** Processor addresses of the base address registers, by number. */
  readonly bars = new Map<number, number>();
  structures: readonly FoundStructure[] = [];
  /** Offset of the MSI-X capability; 0 without. */
  msix = 0;
  private nextMemory: number;
  private nextPort: number;

  constructor(
    readonly bench: Bench,
    readonly device: number,
  ) {
    this.nextMemory = memoryMap.pcieMemory32.base + device * 0x10_0000;
    this.nextPort = device * 0x100;
  }

  config(offset: number, size: AccessSize): number {
    return Number(this.bench.load(this.address(offset), size));
  }
  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.store(this.address(offset), size, value);
  }
  address(offset: number): number {
    return memoryMap.pcieEcam.base + this.device * 0x8000 + offset;
  }

  /** Everything up to a function that answers and may reach memory. */
  discover(): void {
    this.config(0, 2);
    this.config(2, 2);
    this.placeBars();
    this.readCapabilities();
    this.enable();
  }

  enable(bits: number = command.ioSpace | command.memorySpace | command.busMaster): void {
    this.writeConfig(4, 2, bits);
  }

  placeBars(): void {
    for (let index = 0; index < 6; index++) {
      const at = 0x10 + index * 4;
      this.writeConfig(at, 4, 0xffff_ffff);
      const mask = this.config(at, 4);
      if (mask === 0) continue;
      const isPort = (mask & 1) === 1;
      const size = (~(mask & (isPort ? ~3 : ~0xf)) + 1) >>> 0;
      const place = isPort ? this.take('nextPort', size) : this.take('nextMemory', size);
      this.bars.set(index, isPort ? memoryMap.pcieIo.base + place : place);
      this.writeConfig(at, 4, place);
      if ((mask & 6) !== 4) continue;
      index++;
      this.writeConfig(0x10 + index * 4, 4, 0);
    }
  }

  readCapabilities(): void {
    const found: FoundStructure[] = [];
    // Where there is no function all bits are ones, and there is no list either.
    if (this.config(0, 2) === 0xffff) return;
    for (let at = this.config(0x34, 1); at !== 0; at = this.config(at + 1, 1)) {
      const id = this.config(at, 1);
      if (id === 0x11) this.msix = at;
      if (id !== 9) continue;
      const cfgType = this.config(at + 3, 1);
      // What follows has the layout of a structure's capability in the other types only.
      if (cfgType === vendorType) found.push({ at, cfgType, bar: noBar, offset: 0, length: 0 });
      else
        found.push({
          at,
          cfgType,
          bar: this.config(at + 4, 1),
          offset: this.config(at + 8, 4),
          length: this.config(at + 12, 4),
        });
    }
    this.structures = found;
  }

  /** Processor address of the first usable structure of a type; `nth` chooses a later one. */
  structure(cfgType: number, nth = 0): number {
    const one = this.structures.filter((each) => each.cfgType === cfgType && each.bar < 6)[nth];
    const bar = one === undefined ? undefined : this.bars.get(one.bar);
    if (one === undefined || bar === undefined) throw new Error(`the function has no structure of type ${cfgType}`);
    return bar + one.offset;
  }

  private take(next: 'nextPort' | 'nextMemory', size: number): number {
    const place = Math.ceil(this[next] / size) * size;
    this[next] = place + size;
    return place;
  }
}
