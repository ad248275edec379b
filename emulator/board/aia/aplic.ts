// One interrupt domain of an advanced PLIC: wires become interrupts of harts, directly or as messages, or go on to the domain below.
// [RISC-V AIA 1.0, 4] Follows the specification where QEMU 7.2 leaves it, see docs/interrupt-controllers.md; the delivery mode cannot be changed.
// Guarantees: a source that the domain does not have reads as 0 and stays inactive; a pending bit of a level source in direct delivery
// always shows its wire.
import type { AccessSize, MmioRegion, SavedState, Stateful } from '../../bus/access';
import type { InterruptLevel } from '../../cpu/contract';
import type { BoardContext } from '../contract';
import { interruptSources, type MapEntry } from '../memory-map';
import { RegisterBank } from '../registers';
import { aplicRegisters, configuration, delivery, mode, target } from './aplic-registers';

/** Interrupt delivery control of one hart, for direct delivery. [AIA 4.8.1] */
interface HartDelivery {
  delivery: number;
  force: number;
  threshold: number;
  /** What the wire to the hart shows. */
  level: boolean;
}

export interface AplicEnvironment {
  readonly level: InterruptLevel;
  readonly place: MapEntry;
  readonly context: BoardContext;
  /** The domain that delegates to this one; undefined for the root. */
  readonly parent: Aplic | undefined;
  /** Takes messages where interrupts are delivered as such: a store of 32 bits. */
  readonly messages: ((address: bigint, data: number) => void) | undefined;
  /** Hears which source a hart claims by direct delivery; 0 for a claim that found nothing. */
  claimed(hart: number, source: number): void;
}

export class Aplic implements MmioRegion, Stateful {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
  /** How the address of a hart's interrupt file is made, as the root's registers hold it. [AIA 4.5.3, 4.5.4] */
  readonly messageAddresses = { machine: 0, machineHigh: 0, supervisor: 0, supervisorHigh: 0 };
  private child: Aplic | undefined;
  private enable = 0;
  private readonly sources = new Uint32Array(interruptSources + 1);
  private readonly targets = new Uint32Array(interruptSources + 1);
  private readonly wires = new Uint8Array(interruptSources + 1);
  private readonly pending = new Uint8Array(interruptSources + 1);
  private readonly enabled = new Uint8Array(interruptSources + 1);
  private readonly harts: readonly HartDelivery[];
  private readonly bank: RegisterBank<Aplic>;

  constructor(private readonly environment: AplicEnvironment) {
    const { level, place, context, parent } = environment;
    this.name = level === 'M' ? 'APLIC of machine level' : 'APLIC of supervisor level';
    this.base = place.base;
    this.sizeBytes = place.sizeBytes;
    this.harts = Array.from({ length: context.harts }, () => ({ delivery: 0, force: 0, threshold: 0, level: false }));
    this.bank = new RegisterBank<Aplic>(aplicRegisters(context.harts), { widths: [4], valueBits: 32 });
    if (parent !== undefined) parent.child = this;
  }

  read(offset: number, size: AccessSize): bigint | undefined {
    return this.bank.read(this, offset, size);
  }
  peek(offset: number, size: AccessSize): bigint | undefined {
    return this.bank.peek(this, offset, size);
  }
  write(offset: number, size: AccessSize, value: bigint): boolean {
    return this.bank.write(this, offset, size, value);
  }

  private get root(): Aplic {
    return this.environment.parent?.root ?? this;
  }
  get isRoot(): boolean {
    return this.environment.parent === undefined;
  }
  get sendsMessages(): boolean {
    return this.environment.messages !== undefined;
  }

  /** The wire of a source changed, or was driven again. */
  drive(source: number, level: boolean): void {
    const before = this.rectified(source);
    this.wires[source] = level ? 1 : 0;
    this.follow(source, before);
    this.child?.drive(source, level);
  }

  // What registers act on.

  get domainConfiguration(): number {
    const messages = this.sendsMessages ? configuration.messages : 0;
    return (configuration.fixed | messages | this.enable) >>> 0;
  }
  set domainConfiguration(value: number) {
    this.enable = value & configuration.enable;
    this.update();
  }

  sourceConfiguration(source: number): number {
    return this.has(source) ? (this.sources[source] ?? 0) : 0;
  }
  configureSource(source: number, value: number): void {
    if (!this.has(source)) return;
    const delegates = (value & mode.delegate) !== 0 && this.child !== undefined;
    // The only child has number 0, and two modes are reserved.
    const wanted = delegates ? mode.delegate : value & mode.delegate ? 0 : value & mode.mask;
    const before = this.rectified(source);
    this.sources[source] = wanted === 2 || wanted === 3 ? 0 : wanted;
    if (!this.isActive(source)) {
      this.pending[source] = 0;
      this.enabled[source] = 0;
      this.targets[source] = 0;
    }
    if (!delegates) this.child?.forget(source);
    // A configuration is no edge.
    if (this.isLevel(source)) this.follow(source, before);
    this.update();
  }

  target(source: number): number {
    return this.isActive(source) ? (this.targets[source] ?? 0) : 0;
  }
  setTarget(source: number, value: number): void {
    if (!this.isActive(source)) return;
    const hart = value >>> target.hartShift;
    // A hart that does not exist is not a value that the field takes.
    const kept = hart < this.harts.length ? hart : (this.targets[source] ?? 0) >>> target.hartShift;
    const low = this.sendsMessages
      ? value & (target.identityMask | (this.environment.level === 'M' ? 0 : target.guestMask))
      : value & target.priorityMask || 1;
    this.targets[source] = ((kept << target.hartShift) | low) >>> 0;
    this.update();
  }

  pendingWord(word: number): number {
    return bitsOf(this.pending, word);
  }
  enabledWord(word: number): number {
    return bitsOf(this.enabled, word);
  }
  /** Rectified input values. [AIA 4.5.6] */
  inputWord(word: number): number {
    let bits = 0;
    for (let bit = 0; bit < 32; bit++) if (this.rectified(word * 32 + bit)) bits |= 1 << bit;
    return bits >>> 0;
  }

  /** Software sets or clears a pending bit. [AIA 4.7] */
  setPending(source: number, on: boolean): void {
    if (!this.isActive(source)) return;
    if (this.isLevel(source)) {
      if (!this.sendsMessages || (on && !this.rectified(source))) return;
    }
    this.pending[source] = on ? 1 : 0;
    this.update();
  }
  setEnabled(source: number, on: boolean): void {
    if (!this.isActive(source)) return;
    this.enabled[source] = on ? 1 : 0;
    this.update();
  }
  /** For each bit of a word the source that it stands for. */
  forEachBit(word: number, bits: number, act: (source: number) => void): void {
    for (let bit = 0; bit < 32; bit++) if (((bits >>> bit) & 1) === 1) act(word * 32 + bit);
  }

  /** A message made by software. [AIA 4.5.15] */
  generateMessage(value: number): void {
    if (this.sendsMessages) this.send(value >>> target.hartShift, 0, value & target.identityMask);
  }

  hartDelivery(hart: number, field: 'delivery' | 'force' | 'threshold'): number {
    return this.sendsMessages ? 0 : (this.harts[hart]?.[field] ?? 0);
  }
  setHartDelivery(hart: number, field: 'delivery' | 'force' | 'threshold', value: number): void {
    const found = this.harts[hart];
    if (found === undefined || this.sendsMessages) return;
    found[field] = value & (field === 'threshold' ? target.priorityMask : 1);
    this.update();
  }
  /** The source with the least priority number for a hart, then the least number, and that priority below it; 0 for none. [AIA 4.8.1.4] */
  top(hart: number): number {
    if (this.sendsMessages) return 0;
    const threshold = this.harts[hart]?.threshold ?? 0;
    let best = 0;
    let bestPriority: number = threshold === 0 ? target.priorityMask + 1 : threshold;
    for (let source = 1; source <= interruptSources; source++) {
      if (this.pending[source] === 0 || this.enabled[source] === 0) continue;
      const where = this.targets[source] ?? 0;
      const priority = where & target.priorityMask || 1;
      if (where >>> target.hartShift !== hart || priority >= bestPriority) continue;
      best = source;
      bestPriority = priority;
    }
    return best === 0 ? 0 : (best << delivery.identityShift) | bestPriority;
  }
  claim(hart: number): number {
    const found = this.harts[hart];
    if (found === undefined) return 0;
    const top = this.top(hart);
    const source = top >>> delivery.identityShift;
    if (source === 0) found.force = 0;
    else if (!this.isLevel(source)) this.pending[source] = 0;
    this.update();
    if (!this.sendsMessages) this.environment.claimed(hart, source);
    return top;
  }

  /** The active sources whose messages carry an identity to a hart. */
  sourcesOf(hart: number, identity: number): readonly number[] {
    const wanted = ((hart << target.hartShift) | identity) >>> 0;
    const found: number[] = [];
    for (let source = 1; source <= interruptSources; source++)
      if (this.isActive(source) && this.targets[source] === wanted) found.push(source);
    return found;
  }

  reset(): void {
    this.enable = 0;
    Object.assign(this.messageAddresses, { machine: 0, machineHigh: 0, supervisor: 0, supervisorHigh: 0 });
    for (const array of [this.sources, this.targets, this.wires, this.pending, this.enabled]) array.fill(0);
    for (const hart of this.harts) Object.assign(hart, { delivery: 0, force: 0, threshold: 0 });
    this.update();
  }
  save(): SavedState {
    const { enable, sources, targets, wires, pending, enabled, harts, messageAddresses } = this;
    return {
      ...{ enable, messageAddresses: { ...messageAddresses }, harts: harts.map((hart) => ({ ...hart })) },
      ...{ sources: sources.slice(), targets: targets.slice(), wires: wires.slice() },
      ...{ pending: pending.slice(), enabled: enabled.slice() },
    };
  }
  /** The levels at the harts are restored by the processor. */
  restore(state: SavedState): void {
    const saved = state as Pick<Aplic, 'messageAddresses'> & {
      readonly enable: number;
      readonly harts: readonly HartDelivery[];
    } & Record<'sources' | 'targets', Uint32Array> &
      Record<'wires' | 'pending' | 'enabled', Uint8Array>;
    this.enable = saved.enable;
    Object.assign(this.messageAddresses, saved.messageAddresses);
    for (const name of ['sources', 'targets', 'wires', 'pending', 'enabled'] as const) this[name].set(saved[name]);
    this.harts.forEach((hart, index) => Object.assign(hart, saved.harts[index]));
  }

  /** Whether the domain has the source: the root has all, others what is delegated to them. [AIA 4.2] */
  private has(source: number): boolean {
    const { parent } = this.environment;
    if (source < 1 || source > interruptSources) return false;
    return parent === undefined || parent.sourceConfiguration(source) === mode.delegate;
  }
  private isActive(source: number): boolean {
    const now = this.sourceConfiguration(source);
    return now !== 0 && now !== mode.delegate;
  }
  private isLevel(source: number): boolean {
    const now = this.sourceConfiguration(source);
    return now === mode.levelHigh || now === mode.levelLow;
  }
  /** The wire as the source's mode sees it. */
  private rectified(source: number): boolean {
    const isHigh = this.wires[source] === 1;
    const now = this.sourceConfiguration(source);
    if (now === mode.levelHigh || now === mode.edgeRising) return isHigh;
    return (now === mode.levelLow || now === mode.edgeFalling) && !isHigh;
  }
  /** After a wire or its mode changed. */
  private follow(source: number, before: boolean): void {
    if (!this.isActive(source)) return;
    const now = this.rectified(source);
    if (this.isLevel(source) && (!this.sendsMessages || !now)) this.pending[source] = now ? 1 : 0;
    else if (now && !before) this.pending[source] = 1;
    this.update();
  }
  /** The parent took the source back. */
  private forget(source: number): void {
    this.sources[source] = 0;
    this.targets[source] = 0;
    this.pending[source] = 0;
    this.enabled[source] = 0;
    this.update();
  }

  private update(): void {
    if (this.sendsMessages) {
      if (this.enable === 0) return;
      for (let source = 1; source <= interruptSources; source++) {
        if (this.pending[source] === 0 || this.enabled[source] === 0) continue;
        this.pending[source] = 0;
        const where = this.targets[source] ?? 0;
        const guest = (where & target.guestMask) >>> target.guestShift;
        this.send(where >>> target.hartShift, guest, where & target.identityMask);
      }
      return;
    }
    this.harts.forEach((hart, index) => {
      const level = this.enable !== 0 && hart.delivery === 1 && (hart.force === 1 || this.top(index) !== 0);
      if (level === hart.level) return;
      hart.level = level;
      this.environment.context.setInterrupt(index, this.environment.level === 'M' ? 'MEIP' : 'SEIP', level);
    });
  }

  /** To the hart's interrupt file, whose address the root's registers tell. [AIA 4.9.1] */
  private send(hart: number, guest: number, identity: number): void {
    const { machine, machineHigh, supervisor, supervisorHigh } = this.root.messageAddresses;
    const isMachine = this.environment.level === 'M';
    const field = (word: number, shift: number, bits: number): number => (word >>> shift) & ((1 << bits) - 1);
    const lowWidth = field(machineHigh, 12, 4);
    const groupShift = BigInt(field(machineHigh, 24, 5) + 12);
    const lowShift = BigInt(field(isMachine ? machineHigh : supervisorHigh, 20, 3));
    const group = BigInt(field(hart >>> lowWidth, 0, field(machineHigh, 16, 3)));
    const member = BigInt(field(hart, 0, lowWidth));
    const [low, high] = isMachine ? [machine, machineHigh] : [supervisor, supervisorHigh];
    const page = (BigInt(field(high, 0, 12)) << 32n) | BigInt(low);
    const place = page | (group << groupShift) | (member << lowShift) | BigInt(isMachine ? 0 : guest);
    this.environment.messages?.(place << 12n, identity);
  }
}

function bitsOf(bytes: Uint8Array, word: number): number {
  let bits = 0;
  for (let bit = 0; bit < 32; bit++) if (bytes[word * 32 + bit] === 1) bits |= 1 << bit;
  return bits >>> 0;
}
