// The advanced interrupt architecture of the board: an APLIC with a domain of each level, and interrupt files where wires become messages.
// [RISC-V AIA 1.0, 1.3; QEMU `virt,aia=`] Guarantees: the same wires, observers and reset as the PLIC it stands in for.
import type { MmioRegion, SavedState, Stateful } from '../../bus/access';
import type { InterruptFiles, InterruptLevel } from '../../cpu/contract';
import type { BoardContext, InterruptController, InterruptLine, InterruptObserver } from '../contract';
import { interruptSources, memoryMap } from '../memory-map';
import { Aplic } from './aplic';
import { mode } from './aplic-registers';
import { Imsic, interruptFileBytes } from './imsic';

const levels: readonly InterruptLevel[] = ['M', 'S'];

export class AdvancedInterrupts implements InterruptController {
  readonly regions: readonly MmioRegion[];
  readonly files: InterruptFiles | undefined;
  private readonly domains: Readonly<Record<InterruptLevel, Aplic>>;
  private readonly imsics: Readonly<Record<InterruptLevel, Imsic>> | undefined;
  private readonly lines = new Map<number, InterruptLine>();
  private readonly observers: InterruptObserver[] = [];
  /** What a context claimed last and has not gone on from: there is no completion. */
  private readonly serving: (readonly number[])[];

  constructor(
    private readonly context: BoardContext,
    kind: 'aplic' | 'aplic-imsic',
  ) {
    this.serving = Array.from({ length: context.harts * 2 }, () => []);
    const file = (level: InterruptLevel): Imsic =>
      new Imsic(level, level === 'M' ? memoryMap.imsicMachine : memoryMap.imsicSupervisor, context, (hart, identity) =>
        this.noteClaim(hart, level, this.domains[level].sourcesOf(hart, identity)),
      );
    const imsics = kind === 'aplic-imsic' ? { M: file('M'), S: file('S') } : undefined;
    this.imsics = imsics;
    const messages =
      imsics === undefined ? undefined : (address: bigint, data: number) => void this.take(address, data);
    const domain = (level: InterruptLevel, parent: Aplic | undefined): Aplic =>
      new Aplic({
        ...{ level, context, parent, messages },
        place: level === 'M' ? memoryMap.aplicMachine : memoryMap.aplicSupervisor,
        claimed: (hart, source) => this.noteClaim(hart, level, source === 0 ? [] : [source]),
      });
    const root = domain('M', undefined);
    this.domains = { M: root, S: domain('S', root) };
    this.regions = [
      ...levels.map((level) => this.domains[level]),
      ...(imsics === undefined ? [] : [imsics.M, imsics.S]),
    ];
    this.files = imsics && {
      read: (hart, level, select) => imsics[level].readSelected(hart, select),
      write: (hart, level, select, value) => imsics[level].writeSelected(hart, select, value),
      top: (hart, level) => imsics[level].top(hart),
      claim: (hart, level) => imsics[level].claim(hart),
    };
  }

  line(source: number): InterruptLine {
    if (!Number.isInteger(source) || source < 1 || source > interruptSources) {
      throw new RangeError(`interrupt source ${source} does not exist: use 1 to ${interruptSources}`);
    }
    let line = this.lines.get(source);
    if (line === undefined) {
      line = { source, set: (level) => this.domains.M.drive(source, level) };
      this.lines.set(source, line);
    }
    return line;
  }
  observe(observer: InterruptObserver): void {
    this.observers.push(observer);
  }

  /** Whether a message's address is an interrupt file's, which then has it. */
  take(address: bigint, data: number): boolean {
    for (const level of levels) {
      const imsic = this.imsics?.[level];
      if (imsic === undefined) continue;
      const offset = address - BigInt(imsic.base);
      if (offset < 0n || offset >= BigInt(imsic.sizeBytes)) continue;
      imsic.write(Number(offset), 4, BigInt(data >>> 0));
      return true;
    }
    return false;
  }

  /** What M-mode firmware does before it starts a supervisor: every source is its, and messages know where harts are. */
  delegateToSupervisor(): void {
    const { M: root } = this.domains;
    for (let source = 1; source <= interruptSources; source++) root.configureSource(source, mode.delegate);
    if (this.imsics === undefined) return;
    const memberBits = Math.ceil(Math.log2(this.context.harts));
    Object.assign(root.messageAddresses, {
      machine: this.imsics.M.base / interruptFileBytes,
      machineHigh: memberBits << 12,
      supervisor: this.imsics.S.base / interruptFileBytes,
      supervisorHigh: 0,
    });
  }

  reset(): void {
    for (const part of this.parts()) part.reset();
    this.serving.fill([]);
  }
  save(): SavedState {
    return { parts: this.parts().map((part) => part.save()), serving: this.serving.map((sources) => [...sources]) };
  }
  restore(state: SavedState): void {
    const saved = state as { readonly parts: readonly SavedState[]; readonly serving: readonly (readonly number[])[] };
    this.parts().forEach((part, index) => {
      const from = saved.parts[index];
      if (from === undefined) throw new Error('the saved state is of another interrupt controller');
      part.restore(from);
    });
    saved.serving.forEach((sources, context) => (this.serving[context] = [...sources]));
  }

  private parts(): readonly (Stateful & { reset(): void })[] {
    const { domains, imsics } = this;
    return [domains.M, domains.S, ...(imsics === undefined ? [] : [imsics.M, imsics.S])];
  }

  /** A hart that looks for its next interrupt is done with the one before. */
  private noteClaim(hart: number, level: InterruptLevel, sources: readonly number[]): void {
    const context = hart * 2 + (level === 'M' ? 0 : 1);
    for (const observer of this.observers) {
      for (const source of this.serving[context] ?? []) observer.completed(context, source);
      for (const source of sources) observer.claimed(context, source);
    }
    this.serving[context] = sources;
  }
}
