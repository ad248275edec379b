// What generated code calls in TypeScript: the environment's devices and watchers, CSRs, decoding, reports of traps.
import type { AccessSize, Accessor, WatchedAccess } from '../bus/access';
import type { CodeCache } from './code-cache';
import type { RegionCompiler } from './compiler/compiler';
import type { CpuEnvironment } from './contract';
import { accessCsr } from './csr/access';
import { preferredInterrupt } from './csr/advanced-interrupts';
import type { CsrHart } from './csr/row';
import type { MachineMemory } from './hart-state';
import { modeName } from './inspect';
import { hartCell, type MemoryLayout } from './layout';

import { watchedKind } from './system/access';
import type { ImportName } from './system/imports';

/** What the bridge asks of the processor around it. */
export interface BridgeHost {
  readonly environment: CpuEnvironment;
  readonly memory: MachineMemory;
  readonly layout: MemoryLayout;
  readonly code: CodeCache;
  readonly compiler: RegionCompiler | undefined;
  hart(index: number): CsrHart;
  hartIndex(base: number): number;
  /** Step of the instruction that executes. */
  currentStep(): number;
  /** Whether the hart stops at its pc instead of executing. */
  stopsAtBreakpoint(hart: number, pc: bigint): boolean;
}

function sizeOf(bytes: number): AccessSize {
  return bytes === 1 ? 1 : bytes === 2 ? 2 : bytes === 4 ? 4 : 8;
}

export class Bridge {
  /** Watched accesses of the current instruction that were announced and did not yet take effect. */
  private announced: WatchedAccess[] = [];

  constructor(private readonly host: BridgeHost) {}

  /** The functions to import, by name. */
  imports(): Record<ImportName, (...values: never[]) => unknown> {
    const { code } = this.host;
    return {
      decodeRecord: (record: number) => code.decodeRecord(record),
      decodeWord: (word: number, record: number) => code.decodeWord(word, record),
      compileHot: (base: number, slot: number, record: number, page: bigint) =>
        this.host.compiler?.compileHot(base, slot, record, page),
      dropRegion: (slot: number) => this.host.compiler?.drop(slot),
      allocateSlot: (page: number) => code.allocateSlot(page),
      fetchOutside: (address: number) => this.host.environment.fetch?.(address) ?? -1,
      breakpoint: (base: number) => this.breakpoint(base),
      deviceLoad: (base: number, bytes: number) => this.deviceLoad(base, bytes),
      deviceStore: (base: number, bytes: number) => this.deviceStore(base, bytes),
      watchedBefore: (base: number, bytes: number, kind: number, order: number) =>
        this.watchedBefore(base, bytes, kind, order),
      watchedAfter: () => this.watchedAfter(),
      csr: (base: number, number: number, change: number) => accessCsr(this.hart(base), number, change),
      preferredInterrupt: (base: number, pending: bigint, supervisor: number) =>
        BigInt(preferredInterrupt(this.hart(base), supervisor === 0 ? 'M' : 'S', pending) ?? 0),
      time: () => this.host.environment.time(),
      environmentCall: (base: number) => (this.host.environment.environmentCall(this.host.hartIndex(base)) ? 1 : 0),
      trapTaken: (base: number, cause: number, interrupt: number, from: number) =>
        this.trapTaken(base, cause, interrupt !== 0, from),
    };
  }

  /** After an exception of the environment's own: nothing is under way any more. */
  abandon(): void {
    this.announced = [];
  }

  private hart(base: number): CsrHart {
    return this.host.hart(this.host.hartIndex(base));
  }

  private accessor({ state }: CsrHart): Accessor {
    return {
      hart: state.index,
      pc: state.get('pc'),
      virtualAddress: state.get('accessAddress'),
      step: this.host.currentStep(),
    };
  }

  private breakpoint(base: number): number {
    const { state } = this.hart(base);
    return this.host.stopsAtBreakpoint(state.index, state.get('pc')) ? 1 : 0;
  }

  private deviceLoad(base: number, bytes: number): number {
    const hart = this.hart(base);
    const address = Number(hart.state.get('physicalAddress'));
    const answer = this.host.environment.load(address, sizeOf(bytes), this.accessor(hart));
    if (answer === 'fault') return 1;
    if (answer === 'stop') return 2;
    hart.state.set('scratch', BigInt.asUintN(bytes * 8, answer));
    return 0;
  }
  private deviceStore(base: number, bytes: number): number {
    const hart = this.hart(base);
    const address = Number(hart.state.get('physicalAddress'));
    const value = BigInt.asUintN(bytes * 8, hart.state.get('scratch'));
    const answer = this.host.environment.store(address, sizeOf(bytes), value, this.accessor(hart));
    return answer === 'done' ? 0 : answer === 'fault' ? 1 : 2;
  }

  /** Called for each access to a watched page, so nothing is looked up by name here. */
  private watchedBefore(base: number, bytes: number, kind: number, order: number): number {
    const { state } = this.hart(base);
    const { layout, memory, environment } = this.host;
    const { cells } = memory;
    const low = memory.words[(base + hartCell.physicalAddress) >> 2] ?? 0;
    const physicalAddress =
      (low >>> 0) + ((memory.words[(base + hartCell.physicalAddress + 4) >> 2] ?? 0) >>> 0) * 2 ** 32;
    const before = this.ramValue(memory.view, layout.ram + physicalAddress - layout.ramBase, bytes);
    const isLoad = kind === watchedKind.load;
    // Written out: a spread would cost more than the rest of the access.
    const access: WatchedAccess = {
      hart: state.index,
      pc: cells[(base + hartCell.pc) >> 3] ?? 0n,
      virtualAddress: cells[(base + hartCell.accessAddress) >> 3] ?? 0n,
      step: this.host.currentStep(),
      physicalAddress,
      size: sizeOf(bytes),
      kind: isLoad ? 'load' : kind === watchedKind.store ? 'store' : 'atomic',
      loads: isLoad || kind === watchedKind.atomic,
      value: isLoad ? before : this.ramValue(memory.view, base + hartCell.scratch, bytes),
      before,
      acquire: (order & 1) !== 0,
      release: (order & 0x100) !== 0,
    };
    if (environment.beforeWatched(access) === 'stop') {
      this.announced.length = 0;
      return 2;
    }
    this.announced.push(access);
    return 0;
  }
  private watchedAfter(): void {
    const { announced } = this;
    const [only] = announced;
    if (only !== undefined && announced.length === 1) {
      announced.length = 0;
      this.host.environment.afterWatched(only);
      return;
    }
    this.announced = [];
    for (const access of announced) this.host.environment.afterWatched(access);
  }
  private ramValue(view: DataView, at: number, bytes: number): bigint {
    if (bytes === 8) return view.getBigUint64(at, true);
    if (bytes === 4) return BigInt(view.getUint32(at, true));
    return BigInt(bytes === 2 ? view.getUint16(at, true) : view.getUint8(at));
  }

  private trapTaken(base: number, cause: number, interrupt: boolean, from: number): void {
    const { state } = this.hart(base);
    const to = modeName(state.getWord('mode'));
    const machine = to === 'M';
    this.host.environment.trap({
      hart: state.index,
      interrupt,
      cause,
      tval: state.get(machine ? 'mtval' : 'stval'),
      epc: state.get(machine ? 'mepc' : 'sepc'),
      handler: state.get('pc'),
      from: modeName(from),
      to,
      // An interrupt comes between instructions, so no step is under way.
      step: this.host.currentStep() + (interrupt ? 1 : 0),
    });
  }
}
