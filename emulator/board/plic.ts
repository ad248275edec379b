// The platform-level interrupt controller: 96 sources, an M-mode and an S-mode context for each hart. [RISC-V PLIC 1.0.0]
// Follows QEMU where it differs from the specification: a request that its device withdraws before the claim is forgotten, a completion
// counts whether or not the context still enables the source, and a wire that merely stays up does not ask again after a completion:
// it asks each time its device looks at its causes. Guests rely on all three; xv6 never quietens the UART's transmitter.
import type { AccessSize, MmioRegion, SavedState } from '../bus/access';
import type { BoardContext, InterruptController, InterruptLine, InterruptObserver } from './contract';
import { interruptSources, memoryMap } from './memory-map';
import { RegisterBank } from './registers';

/** Priorities and thresholds are 3 bits wide, as on QEMU. [PLIC 4] */
const priorityMask = 7;
const words = Math.ceil((interruptSources + 1) / 32);
const enableOffset = 0x2000;
const enableStride = 0x80;
const contextOffset = 0x20_0000;
const contextStride = 0x1000;

interface PlicContext {
  /** One bit for each source. */
  readonly enabled: Uint32Array;
  threshold: number;
  /** What the wire to the hart shows. */
  level: boolean;
}

export class Plic implements MmioRegion, InterruptController {
  readonly name = 'plic';
  readonly base = memoryMap.plic.base;
  readonly sizeBytes = memoryMap.plic.sizeBytes;

  readonly regions: readonly MmioRegion[] = [this];
  readonly files = undefined;

  private readonly priorities = new Uint8Array(interruptSources + 1);
  /** Requests that no context has claimed yet; those of a source in service wait for its completion. */
  private readonly pending = new Uint32Array(words);
  /** Claimed and not completed. */
  private readonly inService = new Uint32Array(words);
  private readonly contexts: readonly PlicContext[];
  private readonly lines = new Map<number, InterruptLine>();
  private readonly observers: InterruptObserver[] = [];
  private readonly bank: RegisterBank<Plic>;

  constructor(private readonly context: BoardContext) {
    this.contexts = Array.from({ length: context.harts * 2 }, () => ({
      enabled: new Uint32Array(words),
      threshold: 0,
      level: false,
    }));
    this.bank = new RegisterBank<Plic>(registersOf(this.contexts.length), { widths: [4], valueBits: 32 });
  }

  /**
   * The wire of one source.
   * @throws RangeError when there is no such source
   */
  line(source: number): InterruptLine {
    if (!Number.isInteger(source) || source < 1 || source > interruptSources) {
      throw new RangeError(`interrupt source ${source} does not exist: use 1 to ${interruptSources}`);
    }
    let line = this.lines.get(source);
    if (line === undefined) {
      line = { source, set: (level) => this.drive(source, level) };
      this.lines.set(source, line);
    }
    return line;
  }

  observe(observer: InterruptObserver): void {
    this.observers.push(observer);
  }

  /** A PLIC has no interrupt files. */
  take(): boolean {
    return false;
  }
  /** Its S-mode contexts are the supervisor's own. */
  delegateToSupervisor(): void {
    return;
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

  priority(source: number): number {
    return this.priorities[source] ?? 0;
  }
  setPriority(source: number, value: number): void {
    if (source === 0) return;
    this.priorities[source] = value & priorityMask;
    this.update();
  }
  pendingWord(word: number): number {
    return this.pending[word] ?? 0;
  }
  enabledWord(context: number, word: number): number {
    return this.contexts[context]?.enabled[word] ?? 0;
  }
  setEnabledWord(context: number, word: number, value: number): void {
    const target = this.contexts[context];
    if (target === undefined || word >= words) return;
    target.enabled[word] = value & existingSources(word);
    this.update();
  }
  threshold(context: number): number {
    return this.contexts[context]?.threshold ?? 0;
  }
  setThreshold(context: number, value: number): void {
    const target = this.contexts[context];
    if (target === undefined) return;
    target.threshold = value & priorityMask;
    this.update();
  }

  /** The source that a claim would return: highest priority, then lowest number; 0 for none. The threshold plays no part. [PLIC 9] */
  best(context: number): number {
    return this.bestAbove(context, 0);
  }
  claim(context: number): number {
    const source = this.best(context);
    if (source === 0) return 0;
    setBit(this.pending, source, false);
    setBit(this.inService, source, true);
    this.update();
    for (const observer of this.observers) observer.claimed(context, source);
    return source;
  }
  complete(context: number, source: number): void {
    if (source === 0 || source > interruptSources || !bit(this.inService, source)) return;
    setBit(this.inService, source, false);
    this.update();
    for (const observer of this.observers) observer.completed(context, source);
  }

  reset(): void {
    this.priorities.fill(0);
    this.inService.fill(0);
    this.pending.fill(0);
    for (const context of this.contexts) {
      context.enabled.fill(0);
      context.threshold = 0;
    }
    this.update();
  }

  save(): SavedState {
    return {
      priorities: this.priorities.slice(),
      pending: this.pending.slice(),
      inService: this.inService.slice(),
      contexts: this.contexts.map((c) => ({ ...c, enabled: c.enabled.slice() })),
    };
  }
  restore(state: SavedState): void {
    const saved = state as {
      priorities: Uint8Array;
      pending: Uint32Array;
      inService: Uint32Array;
      contexts: PlicContext[];
    };
    this.priorities.set(saved.priorities);
    this.pending.set(saved.pending);
    this.inService.set(saved.inService);
    this.contexts.forEach((context, index) => {
      const from = saved.contexts[index];
      if (from === undefined) return;
      context.enabled.set(from.enabled);
      context.threshold = from.threshold;
      context.level = from.level;
    });
  }

  private drive(source: number, level: boolean): void {
    if (bit(this.pending, source) === level) return;
    setBit(this.pending, source, level);
    this.update();
  }

  private bestAbove(context: number, threshold: number): number {
    const enabled = this.contexts[context]?.enabled;
    if (enabled === undefined) return 0;
    let best = 0;
    let bestPriority = threshold;
    for (let word = 0; word < words; word++) {
      let candidates = (this.pending[word] ?? 0) & ~(this.inService[word] ?? 0) & (enabled[word] ?? 0);
      while (candidates !== 0) {
        const source = word * 32 + 31 - Math.clz32(candidates & -candidates);
        candidates &= candidates - 1;
        const priority = this.priorities[source] ?? 0;
        if (priority > bestPriority) {
          best = source;
          bestPriority = priority;
        }
      }
    }
    return best;
  }

  private update(): void {
    this.contexts.forEach((context, index) => {
      const level = this.bestAbove(index, context.threshold) !== 0;
      if (level === context.level) return;
      context.level = level;
      this.context.setInterrupt(index >> 1, (index & 1) === 0 ? 'MEIP' : 'SEIP', level);
    });
  }
}

function registersOf(contexts: number): ConstructorParameters<typeof RegisterBank<Plic>>[0] {
  const perContext = Array.from({ length: contexts }, (_, context) => [
    {
      offset: enableOffset + context * enableStride,
      name: `enable of context ${context}`,
      count: words,
      read: (plic: Plic, word: number) => plic.enabledWord(context, word),
      write: (plic: Plic, value: number, word: number) => plic.setEnabledWord(context, word, value),
    },
    {
      offset: contextOffset + context * contextStride,
      name: `threshold of context ${context}`,
      read: (plic: Plic) => plic.threshold(context),
      write: (plic: Plic, value: number) => plic.setThreshold(context, value),
    },
    {
      offset: contextOffset + context * contextStride + 4,
      name: `claim/complete of context ${context}`,
      read: (plic: Plic) => plic.claim(context),
      peek: (plic: Plic) => plic.best(context),
      write: (plic: Plic, value: number) => plic.complete(context, value),
    },
  ]).flat();
  return [
    {
      offset: 0,
      name: 'priority',
      count: interruptSources + 1,
      read: (plic, source) => plic.priority(source),
      write: (plic, value, source) => plic.setPriority(source, value),
    },
    { offset: 0x1000, name: 'pending', count: words, read: (plic, word) => plic.pendingWord(word) },
    ...perContext,
  ];
}

/** The bits of an enable word that stand for a source; source 0 does not exist. */
function existingSources(word: number): number {
  const last = interruptSources - word * 32;
  const upper = last >= 31 ? -1 : (1 << (last + 1)) - 1;
  return word === 0 ? upper & ~1 : upper;
}
function bit(bits: Uint32Array, index: number): boolean {
  return (((bits[index >> 5] ?? 0) >>> (index & 31)) & 1) === 1;
}
function setBit(bits: Uint32Array, index: number, on: boolean): void {
  const word = bits[index >> 5] ?? 0;
  bits[index >> 5] = on ? word | (1 << (index & 31)) : word & ~(1 << (index & 31));
}
