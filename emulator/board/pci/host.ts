// The PCI Express host bridge: configuration space of bus 0 through ECAM, windows to memory and I/O space, and the four interrupt
// wires into the interrupt controller. [PCI Express Base 4.0, 7.2.2; QEMU `virt`: generic ECAM host bridge]
// Guarantees: every access in its windows answers; where nothing decodes, reads give all ones and writes have no effect.
import type { Accessor, AccessSize, MmioRegion, SavedState } from '../../bus/access';
import type { InterruptLine } from '../contract';
import { type MapEntry, memoryMap, pcieInterrupts } from '../memory-map';
import { configSpaceBytes, PciConfigSpace } from './config-space';
import type { Answer, BarTarget, ConfigAccessSize, PciFunction, PciHost, PciWire } from './contract';

const functionBytes = 4096;
const deviceStride = functionBytes * 8;
const busStride = deviceStride * 32;
const devices = 32;

/** "QEMU PCIe Host bridge". */
const bridgeIdentity = {
  vendor: 0x1b36,
  device: 0x0008,
  revision: 0,
  classCode: 0x06_0000,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  interruptPin: 0,
} as const;

/** Which wire a device's pin drives: neighbours are spread over all four. [PCI-to-PCI Bridge 1.2, 9.1] */
export function swizzle(device: number, pin: number): number {
  return (device + pin) % pcieInterrupts.count;
}

export class PcieHost implements PciHost {
  readonly regions: readonly MmioRegion[];
  private readonly functions = new Map<number, PciFunction>();
  private readonly bridge = new PciConfigSpace(bridgeIdentity, [], []);
  /** Who holds each wire up. */
  private readonly holders: readonly Set<number>[];
  private readonly lines: readonly InterruptLine[];

  /** @param line the interrupt controller's wire of a source */
  constructor(line: (source: number) => InterruptLine) {
    this.lines = Array.from({ length: pcieInterrupts.count }, (_, wire) => line(pcieInterrupts.first + wire));
    this.holders = this.lines.map(() => new Set());
    this.regions = [
      new EcamRegion(this),
      new Window('PCI memory window', memoryMap.pcieMemory32, 0, 'memory', this),
      new Window('PCI memory window above 4 GiB', memoryMap.pcieMemory64, 0, 'memory', this),
      // Ports count from 0, wherever the window lies.
      new Window('PCI I/O window', memoryMap.pcieIo, memoryMap.pcieIo.base, 'io', this),
    ];
  }

  freeDevice(): number {
    for (let device = 1; device < devices; device++) if (!this.functions.has(device)) return device;
    throw new RangeError(`all ${devices - 1} devices of the PCI bus are taken`);
  }

  attach(pciFunction: PciFunction): void {
    const { device, name } = pciFunction;
    const other = this.functions.get(device);
    if (other !== undefined || device < 1 || device >= devices) {
      throw new RangeError(`PCI device ${device} of ${name} ${other === undefined ? 'does not exist' : 'is taken'}`);
    }
    this.functions.set(device, pciFunction);
  }

  wire(device: number, pin: number): PciWire {
    const wire = swizzle(device, pin);
    const line = this.lines[wire];
    const holders = this.holders[wire];
    if (line === undefined || holders === undefined) throw new RangeError(`there is no interrupt wire ${wire}`);
    return {
      source: line.source,
      set: (level) => {
        if (level) holders.add(device);
        else holders.delete(device);
        line.set(holders.size > 0);
      },
    };
  }

  /** The function at an offset of the ECAM window, and the place in its configuration space. */
  locate(offset: number): { readonly at: number; readonly found: PciFunction | 'bridge' | undefined } {
    const at = offset % functionBytes;
    const isFunction0 = offset < busStride && offset % deviceStride < functionBytes;
    const device = Math.floor(offset / deviceStride);
    const found = !isFunction0 ? undefined : device === 0 ? 'bridge' : this.functions.get(device);
    // These are no PCI Express devices: their space ends after 256 bytes.
    return { at, found: at < configSpaceBytes ? found : undefined };
  }

  readBridge(at: number, size: ConfigAccessSize): number {
    return this.bridge.read(at, size);
  }
  writeBridge(at: number, size: ConfigAccessSize, value: number): void {
    this.bridge.write(at, size, value);
  }

  /** The registers that answer at an address of the bus. */
  decode(space: 'memory' | 'io', address: number): { readonly target: BarTarget; readonly offset: number } | undefined {
    for (const one of this.functions.values()) {
      for (const { bar, base } of one.decoded()) {
        if ((bar.space === 'io') !== (space === 'io')) continue;
        if (address >= base && address < base + bar.sizeBytes) return { target: bar.target, offset: address - base };
      }
    }
    return undefined;
  }

  /** Back to power-on; the functions are reset by whoever owns them. */
  reset(): void {
    this.bridge.write(4, 2, 0);
  }
  save(): SavedState {
    return { bridge: this.bridge.save(), holders: this.holders.map((set) => [...set]) };
  }
  /** The levels at the interrupt controller are restored by the interrupt controller. */
  restore(state: SavedState): void {
    const saved = state as { bridge: SavedState; holders: readonly (readonly number[])[] };
    this.bridge.restore(saved.bridge);
    this.holders.forEach((set, wire) => {
      set.clear();
      for (const device of saved.holders[wire] ?? []) set.add(device);
    });
  }
}

/** Accesses of 8 bytes are two of 4, low half first. */
function partsOf(offset: number, size: AccessSize, value: bigint): (readonly [number, ConfigAccessSize, number])[] {
  if (size !== 8) return [[offset, size, Number(value)]];
  return [
    [offset, 4, Number(value & 0xffff_ffffn)],
    [offset + 4, 4, Number(value >> 32n)],
  ];
}
const allOnes = (size: AccessSize): bigint => (1n << BigInt(size * 8)) - 1n;

class EcamRegion implements MmioRegion {
  readonly name = 'PCI configuration space';
  readonly base = memoryMap.pcieEcam.base;
  readonly sizeBytes = memoryMap.pcieEcam.sizeBytes;

  constructor(private readonly host: PcieHost) {}

  attempt(offset: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): Answer {
    const answers = partsOf(offset, size, value).map(([part, width, bits]): Answer => {
      const { at, found } = this.host.locate(part);
      return typeof found === 'object' ? found.attemptConfig(at, width, kind, bits, by) : 'proceed';
    });
    return answers.includes('stop') ? 'stop' : 'proceed';
  }

  read(offset: number, size: AccessSize, by: Accessor): bigint {
    return this.join(offset, size, (found, at, width) => found.readConfig(at, width, by));
  }

  peek(offset: number, size: AccessSize): bigint {
    return this.join(offset, size, (found, at, width) => found.peekConfig(at, width));
  }

  write(offset: number, size: AccessSize, value: bigint, by: Accessor): boolean {
    for (const [part, width, bits] of partsOf(offset, size, value)) {
      const { at, found } = this.host.locate(part);
      if (found === 'bridge') this.host.writeBridge(at, width, bits);
      else found?.writeConfig(at, width, bits, by);
    }
    return true;
  }

  private join(
    offset: number,
    size: AccessSize,
    valueOf: (found: PciFunction, at: number, width: ConfigAccessSize) => number,
  ): bigint {
    let result = 0n;
    for (const [part, width] of partsOf(offset, size, 0n)) {
      const { at, found } = this.host.locate(part);
      const value =
        found === undefined
          ? Number(allOnes(width))
          : found === 'bridge'
            ? this.host.readBridge(at, width)
            : valueOf(found, at, width);
      result |= BigInt(value) << BigInt((part - offset) * 8);
    }
    return result;
  }
}

/** A stretch of the processor's addresses that leads to the bus. */
class Window implements MmioRegion {
  readonly base: number;
  readonly sizeBytes: number;

  /** @param shift what is taken off the processor's address to get the one on the bus */
  constructor(
    readonly name: string,
    place: MapEntry,
    private readonly shift: number,
    private readonly space: 'memory' | 'io',
    private readonly host: PcieHost,
  ) {
    this.base = place.base;
    this.sizeBytes = place.sizeBytes;
  }

  attempt(offset: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): Answer {
    const found = this.find(offset);
    return found?.target.attempt?.(found.offset, size, kind, value, by) ?? 'proceed';
  }
  read(offset: number, size: AccessSize, by: Accessor): bigint | undefined {
    const found = this.find(offset);
    return found === undefined ? allOnes(size) : found.target.read(found.offset, size, by);
  }
  write(offset: number, size: AccessSize, value: bigint, by: Accessor): boolean {
    const found = this.find(offset);
    return found === undefined || found.target.write(found.offset, size, value, by);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    const found = this.find(offset);
    return found === undefined ? allOnes(size) : found.target.peek(found.offset, size);
  }

  private find(offset: number): { readonly target: BarTarget; readonly offset: number } | undefined {
    return this.host.decode(this.space, this.base + offset - this.shift);
  }
}
