// The virtio-mmio window of one slot: turns bus accesses into register facts and acts on the core; an empty slot is a placeholder
// device. [virtio 1.4, 4.2; design: MMIO width]
// Guarantees: every access in the window answers; `attempt` and `peek` change nothing; facts are recorded in the order
// register or configuration access, then what it means, then what follows from it.
import type { Accessor, AccessSize, MmioRegion, SavedState, Stateful } from '../../bus/access';
import type { InterruptLine } from '../../board/contract';
import type { EventSink, RegisterFact } from '../../record/events';
import type { VirtioCore } from '../core';
import { littleEndian } from '../spec/wire-layout';
import { byDriver, configFact, defectText, type DriverRegisterFact, type Half, origin } from './access-facts';
import {
  freshSelectors,
  mmioConfigOffset,
  mmioCurrentLayout,
  mmioMagic,
  type MmioDefect,
  type MmioLayout,
  type MmioRegister,
  type MmioSelectors,
  mmioVendor,
  mmioVersion,
  mmioWindowBytes,
} from './mmio-registers';

interface SavedMmio {
  readonly selectors: MmioSelectors;
  readonly guestPageBytes: number;
  readonly lineLevel: boolean;
}

/** An access that was asked about and may go on. */
interface AskedAccess {
  readonly offset: number;
  readonly size: AccessSize;
  readonly kind: 'read' | 'write';
  readonly value: bigint;
  readonly by: Accessor;
  readonly facts: readonly DriverRegisterFact[];
}

/** The slot of a device. */
export class MmioTransport implements MmioRegion, Stateful {
  readonly sizeBytes = mmioWindowBytes;
  readonly selectors: MmioSelectors = freshSelectors();
  guestPageBytes = 0;
  private lineLevel = false;
  /** The access whose facts are not recorded yet; a change of the wire waits for them. */
  private acting: Accessor | undefined;
  /** What the access means that was asked about last, for the access itself. */
  private asked: AskedAccess | undefined;

  constructor(
    readonly name: string,
    readonly base: number,
    readonly core: VirtioCore,
    private readonly interrupt: InterruptLine,
    private readonly sink: EventSink,
    private readonly layout: MmioLayout = mmioCurrentLayout,
  ) {}

  get interruptLine(): boolean {
    return this.lineLevel;
  }

  attempt(offset: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): 'proceed' | 'stop' {
    let answer: 'proceed' | 'stop' = 'proceed';
    const isWhole = !isHalved(offset, size);
    this.asked = undefined;
    for (const [part, width, bits, half] of partsOf(offset, size, value)) {
      const facts = this.facts(part, width, kind, bits, half, by);
      for (const fact of facts) if (this.sink.attempt(fact) === 'stop') answer = 'stop';
      // During a stop the user may change what the access finds.
      if (isWhole && answer === 'proceed') this.asked = { offset, size, kind, value, by, facts };
    }
    return answer;
  }

  read(offset: number, size: AccessSize, by: Accessor): bigint {
    if (!isHalved(offset, size)) return this.readPart(offset, size, undefined, by);
    const low = this.readPart(offset, 4, 'low', by);
    return low | (this.readPart(offset + 4, 4, 'high', by) << 32n);
  }

  private readPart(offset: number, size: AccessSize, half: Half, by: Accessor): bigint {
    const value = this.valueAt(offset, size);
    for (const fact of this.factsAgain(offset, size, 'read', 0n, half, by)) this.sink.record(fact);
    return value;
  }

  write(offset: number, size: AccessSize, value: bigint, by: Accessor): boolean {
    for (const [part, width, bits, half] of partsOf(offset, size, value)) {
      const facts = this.factsAgain(part, width, 'write', bits, half, by);
      this.acting = by;
      this.apply(part, width, bits);
      for (const fact of facts) this.sink.record(fact);
      this.acting = undefined;
      this.driveLine(by);
    }
    return true;
  }

  peek(offset: number, size: AccessSize): bigint {
    return partsOf(offset, size, 0n).reduce(
      (result, [part, width]) => result | (this.valueAt(part, width) << BigInt((part - offset) * 8)),
      0n,
    );
  }

  /** The core's interrupt status may have changed. */
  interruptChanged(): void {
    if (this.acting === undefined) this.driveLine(undefined);
  }

  save(): SavedState {
    const saved: SavedMmio = {
      selectors: { ...this.selectors },
      guestPageBytes: this.guestPageBytes,
      lineLevel: this.lineLevel,
    };
    return saved;
  }

  /** The level at the interrupt controller is restored by the interrupt controller. */
  restore(state: SavedState): void {
    const saved = state as SavedMmio;
    Object.assign(this.selectors, saved.selectors);
    this.guestPageBytes = saved.guestPageBytes;
    this.lineLevel = saved.lineLevel;
  }

  private driveLine(by: Accessor | undefined): void {
    const level = this.core.interruptStatus !== 0;
    this.interrupt.set(level);
    if (level === this.lineLevel) return;
    this.lineLevel = level;
    this.sink.record({
      kind: 'interrupt-line',
      by: 'board',
      device: this.core.name,
      source: this.interrupt.source,
      level,
      ...(by !== undefined && { hart: by.hart, pc: by.pc }),
    });
  }

  private valueAt(offset: number, size: AccessSize): bigint {
    if (offset >= mmioConfigOffset) return this.core.readConfig(offset - mmioConfigOffset, size);
    const { register, defect } = this.layout.decode(offset, size, 'read');
    if (defect !== undefined) return 0n;
    return BigInt((register?.read?.(this) ?? 0) >>> 0);
  }

  private apply(offset: number, size: AccessSize, value: bigint): void {
    if (offset >= mmioConfigOffset) {
      this.core.writeConfig(offset - mmioConfigOffset, littleEndian(value, size));
      return;
    }
    const { register, defect } = this.layout.decode(offset, size, 'write');
    if (defect === undefined) register?.write?.(this, Number(value));
    else this.core.driverError('register-write', defectText(register, offset, size, defect));
  }

  /** The facts that were worked out when the access was asked about, if this is it. */
  private factsAgain(
    offset: number,
    size: AccessSize,
    kind: 'read' | 'write',
    value: bigint,
    half: Half,
    by: Accessor,
  ): readonly DriverRegisterFact[] {
    const { asked } = this;
    this.asked = undefined;
    const isAsked =
      asked?.by === by &&
      asked.offset === offset &&
      asked.size === size &&
      asked.kind === kind &&
      asked.value === value;
    return isAsked ? asked.facts : this.facts(offset, size, kind, value, half, by);
  }

  /** The facts that an access makes, worked out from the state before it. */
  private facts(
    offset: number,
    size: AccessSize,
    kind: 'read' | 'write',
    written: bigint,
    half: Half,
    by: Accessor,
  ): readonly DriverRegisterFact[] {
    const value = kind === 'read' ? this.valueAt(offset, size) : written;
    if (offset >= mmioConfigOffset) {
      const at = offset - mmioConfigOffset;
      return [byDriver(configFact(this.core.name, kind, at, size, value, this.core.configField(at)?.name, half), by)];
    }
    const { register, defect } = this.layout.decode(offset, size, kind);
    const access = byDriver(controlFact(this.core.name, kind, offset, size, value, register, defect), by);
    if (defect !== undefined) return [access];
    const meaning = (kind === 'read' ? register?.readFact : register?.writeFact)?.(this, Number(value));
    return meaning === undefined ? [access] : [access, byDriver(meaning, by)];
  }
}

/** A slot without a device: DeviceID 0, and everything but the identity reads as 0. [virtio 1.4, 4.2.3.1.1] */
export class EmptySlot implements MmioRegion {
  readonly sizeBytes = mmioWindowBytes;

  constructor(
    readonly name: string,
    readonly base: number,
    private readonly sink: EventSink,
  ) {}

  attempt(offset: number, size: AccessSize, kind: 'read' | 'write', value: bigint, by: Accessor): 'proceed' | 'stop' {
    let answer: 'proceed' | 'stop' = 'proceed';
    for (const fact of this.facts(offset, size, kind, value)) {
      if (this.sink.attempt({ ...fact, ...origin(by) }) === 'stop') answer = 'stop';
    }
    return answer;
  }

  read(offset: number, size: AccessSize, by: Accessor): bigint {
    for (const fact of this.facts(offset, size, 'read', 0n)) this.sink.record({ ...fact, ...origin(by) });
    return this.peek(offset, size);
  }

  write(offset: number, size: AccessSize, value: bigint, by: Accessor): boolean {
    for (const fact of this.facts(offset, size, 'write', value)) this.sink.record({ ...fact, ...origin(by) });
    return true;
  }

  peek(offset: number, size: AccessSize): bigint {
    return size === 4 ? BigInt(placeholder[offset]?.value ?? 0) : 0n;
  }

  private facts(offset: number, size: AccessSize, kind: 'read' | 'write', written: bigint): RegisterFact[] {
    if (offset >= mmioConfigOffset) {
      return partsOf(offset, size, written).map(([part, width, bits, half]) =>
        configFact(this.name, kind, part - mmioConfigOffset, width, kind === 'read' ? 0n : bits, undefined, half),
      );
    }
    const { register, defect } = mmioCurrentLayout.decode(offset, size, kind);
    const value = kind === 'read' ? this.peek(offset, size) : written;
    const facts = [controlFact(this.name, kind, offset, size, value, register, defect)];
    const known = kind === 'read' && defect === undefined ? placeholder[offset] : undefined;
    if (known !== undefined) facts.push({ kind: 'identity-read', device: this.name, ...known });
    return facts;
  }
}

const placeholder: Readonly<
  Record<number, { readonly register: 'MagicValue' | 'Version' | 'DeviceID' | 'VendorID'; readonly value: number }>
> = {
  0x000: { register: 'MagicValue', value: mmioMagic },
  0x004: { register: 'Version', value: mmioVersion },
  0x008: { register: 'DeviceID', value: 0 },
  0x00c: { register: 'VendorID', value: mmioVendor },
};

/** An access to configuration space of 8 bytes is two, low half first; everything else is one. */
function partsOf(offset: number, size: AccessSize, value: bigint): (readonly [number, AccessSize, bigint, Half])[] {
  if (!isHalved(offset, size)) return [[offset, size, value, undefined]];
  return [
    [offset, 4, value & 0xffff_ffffn, 'low'],
    [offset + 4, 4, value >> 32n, 'high'],
  ];
}

function isHalved(offset: number, size: AccessSize): boolean {
  return offset >= mmioConfigOffset && size === 8;
}

function controlFact(
  device: string,
  kind: 'read' | 'write',
  offset: number,
  size: AccessSize,
  value: bigint,
  register: MmioRegister | undefined,
  defect: MmioDefect | undefined,
): RegisterFact {
  const known = kind === 'read' ? 'register-read' : 'register-write';
  const fact: RegisterFact = { kind: known, device, offset, size, value, register: register?.name };
  return defect === undefined ? fact : { ...fact, defect };
}
