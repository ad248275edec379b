// Composition of the board's fixed devices: a configuration in, the board's contract out.
import type { MmioRegion, SavedState, Stateful } from '../bus/access';
import type { GuestMemory } from '../bus/memory';
import type { Aia, MachineConfiguration } from '../configuration';
import type { Cpu, InterruptFiles } from '../cpu/contract';
import { planBoot } from './boot';
import { Clint } from './clint';
import { AdvancedInterrupts } from './aia/controller';
import type { Board, BoardContext, BootPlan, InterruptController, InterruptLine, InterruptObserver } from './contract';
import { FirmwareConfiguration } from './firmware-configuration';
import { FlashBank } from './flash';
import { GoldfishRtc } from './goldfish-rtc';
import { applyHartStart } from './hart-start';
import { memoryMap } from './memory-map';
import { PcieHost } from './pci/host';
import { Plic } from './plic';
import { ResetRom } from './reset-rom';
import { BuiltinFirmware } from './sbi/firmware';
import { TestFinisher } from './test-finisher';
import { MachineTimer, TimerComparators } from './timer';
import { Uart16550 } from './uart16550';

/** @throws LoadError when the configuration's files do not fit the machine or each other */
export function createBoard(
  context: BoardContext,
  configuration: MachineConfiguration,
  cpu: Cpu,
  memory: GuestMemory,
): VirtBoard {
  return new VirtBoard(context, planBoot(configuration), cpu, memory, configuration.aia);
}

export class VirtBoard implements Board {
  readonly regions: readonly MmioRegion[];
  readonly clint: Clint;
  readonly interrupts: InterruptController;
  readonly uart: Uart16550;
  readonly rtc: GoldfishRtc;
  readonly finisher: TestFinisher;
  readonly pci: PcieHost;
  /** Where harts can execute outside RAM. Reading these has no effect. */
  private readonly executable: readonly (ResetRom | FlashBank)[];
  private readonly timer: MachineTimer;
  /** What drives STIP for stimecmp. */
  private readonly supervisorTimers: TimerComparators;
  private readonly firmware: BuiltinFirmware | undefined;
  /** What a snapshot holds, by name, and what a reset sets back. */
  private readonly parts: Readonly<Record<string, Stateful & { reset(): void }>>;

  constructor(
    context: BoardContext,
    readonly plan: BootPlan,
    private readonly cpu: Cpu,
    private readonly memory: GuestMemory,
    aia: Aia = 'none',
  ) {
    this.timer = new MachineTimer(context.clock);
    this.supervisorTimers = new TimerComparators(
      'stimecmp',
      'STIP',
      context.harts,
      undefined,
      this.timer,
      context.clock,
      (hart, name, level) => context.setInterrupt(hart, name, level),
    );
    this.clint = new Clint(context, this.timer);
    this.interrupts = aia === 'none' ? new Plic(context) : new AdvancedInterrupts(context, aia);
    this.uart = new Uart16550('uart0', context, this.line(memoryMap.uart0.interrupt));
    this.rtc = new GoldfishRtc(context, this.line(memoryMap.rtc.interrupt));
    this.finisher = new TestFinisher((outcome) => context.finish(outcome));
    this.pci = new PcieHost((source) => this.line(source));
    const flash0 = new FlashBank('flash 0', memoryMap.flash0);
    const flash1 = new FlashBank('flash 1', memoryMap.flash1);
    this.firmware =
      plan.bios === 'builtin' ? new BuiltinFirmware(context, cpu, memory, this.supervisorTimers, this.uart) : undefined;
    this.executable = [new ResetRom(plan.resetRom), flash0, flash1];
    const firmwareConfiguration = new FirmwareConfiguration({ harts: context.harts }, memory);
    this.regions = [
      ...this.executable,
      firmwareConfiguration,
      ...[this.finisher, this.rtc, this.clint, this.uart],
      ...this.interrupts.regions,
      ...this.pci.regions,
    ];
    this.parts = {
      clint: this.clint,
      interrupts: this.interrupts,
      uart: this.uart,
      rtc: this.rtc,
      pci: this.pci,
      flash0,
      flash1,
      supervisorTimers: this.supervisorTimers,
      firmwareConfiguration,
    };
  }

  line(source: number): InterruptLine {
    return this.interrupts.line(source);
  }
  observeInterrupts(observer: InterruptObserver): void {
    this.interrupts.observe(observer);
  }
  get interruptFiles(): InterruptFiles | undefined {
    return this.interrupts.files;
  }
  message(address: bigint, data: number): boolean {
    return this.interrupts.take(address, data);
  }
  fetch(physicalAddress: number): number {
    const region = this.executable.find(
      ({ base, sizeBytes }) => physicalAddress >= base && physicalAddress + 2 <= base + sizeBytes,
    );
    return region === undefined ? -1 : Number(region.peek(physicalAddress - region.base, 2));
  }
  time(): bigint {
    return this.timer.now();
  }
  setSupervisorTimer(hart: number, compare: bigint | undefined): void {
    this.supervisorTimers.set(hart, compare);
  }
  input(bytes: Uint8Array): void {
    this.uart.input(bytes);
  }
  environmentCall(hart: number): boolean {
    this.firmware?.serve(hart);
    return this.firmware !== undefined;
  }

  reset(): void {
    for (const { address, bytes } of this.plan.images) this.memory.write(address, bytes);
    for (const start of this.plan.starts) applyHartStart(this.cpu, start);
    // Last, because a hart that starts forgets what its wires showed.
    for (const part of Object.values(this.parts)) part.reset();
    if (this.firmware !== undefined) this.interrupts.delegateToSupervisor();
  }
  save(): SavedState {
    return Object.fromEntries(Object.entries(this.parts).map(([name, part]) => [name, part.save()]));
  }
  restore(state: SavedState): void {
    const saved = state as Record<string, SavedState>;
    for (const [name, part] of Object.entries(this.parts)) {
      const from = saved[name];
      if (from === undefined) throw new Error(`the saved state is not of this board: it lacks ${name}`);
      part.restore(from);
    }
  }
}
