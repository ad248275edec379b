// A bench for board devices: virtual time that the test moves, wires that can be read, and a processor that only holds registers.
import type { Accessor, AccessSize, MmioRegion } from '../../../emulator/bus/access';
import { Ram } from '../../../emulator/bus/ram';
import type { BoardContext, FinishOutcome } from '../../../emulator/board/contract';
import { Clock } from '../../../emulator/clock';
import type { Cpu, InterruptName, PrivilegeMode } from '../../../emulator/cpu/contract';
import type { MachineConfiguration } from '../../../emulator/configuration';

export const by: Accessor = { hart: 0, pc: 0x8000_0000n, virtualAddress: 0n, step: 0 };

export interface Bench {
  readonly context: BoardContext;
  readonly clock: Clock;
  readonly outcomes: FinishOutcome[];
  /** What devices sent out, by channel. */
  readonly sent: Map<string, string>;
  wire(hart: number, name: InterruptName): boolean;
  /** Moves virtual time on and runs what falls due on the way. */
  pass(nanoseconds: number): void;
}

export function bench(harts = 1, wallClockAtResetNanoseconds = 1_700_000_000_000_000_000n): Bench {
  let steps = 0;
  const wires = new Map<string, boolean>();
  const sent = new Map<string, string>();
  const outcomes: FinishOutcome[] = [];
  const clock = new Clock(
    () => steps,
    harts,
    () => undefined,
  );
  const context: BoardContext = {
    clock,
    harts,
    wallClockAtResetNanoseconds,
    setInterrupt: (hart, name, level) => void wires.set(`${hart} ${name}`, level),
    output: (channel, bytes) =>
      void sent.set(channel, (sent.get(channel) ?? '') + Buffer.from(bytes).toString('latin1')),
    finish: (outcome) => void outcomes.push(outcome),
  };
  return {
    context,
    clock,
    outcomes,
    sent,
    wire: (hart, name) => wires.get(`${hart} ${name}`) ?? false,
    pass(nanoseconds) {
      const end = steps + nanoseconds * harts;
      for (;;) {
        const next = clock.nextStep();
        if (next === undefined || next > end) break;
        steps = Math.max(steps, next);
        clock.runOneDue();
      }
      steps = end;
    },
  };
}

/** Registers of a device by name of the access, so that tests read like a driver. */
export function port(region: MmioRegion) {
  const read = (offset: number, size: AccessSize): bigint => {
    const value = region.read(offset, size, by);
    if (value === undefined) throw new Error(`${region.name} faults a read of ${size} at 0x${offset.toString(16)}`);
    return value;
  };
  const write = (offset: number, size: AccessSize, value: bigint): void => {
    if (!region.write(offset, size, value, by)) {
      throw new Error(`${region.name} faults a write of ${size} at 0x${offset.toString(16)}`);
    }
  };
  return {
    read8: (offset: number) => Number(read(offset, 1)),
    read32: (offset: number) => Number(read(offset, 4)),
    read64: (offset: number) => read(offset, 8),
    write8: (offset: number, value: number) => write(offset, 1, BigInt(value)),
    write32: (offset: number, value: number) => write(offset, 4, BigInt.asUintN(32, BigInt(value))),
    write64: (offset: number, value: bigint) => write(offset, 8, value),
  };
}

/** A processor that never executes: registers, CSRs and hart states, and RAM. */
export class IdleCpu {
  readonly ramBase = 0x8000_0000;
  readonly ram: Uint8Array;
  readonly x: bigint[][];
  readonly csrValues: Map<number, bigint>[];
  readonly started: { hart: number; pc: bigint; mode: PrivilegeMode }[] = [];
  readonly states: ('running' | 'waiting' | 'stopped')[];
  readonly noted: [address: number, length: number][] = [];

  constructor(
    readonly harts: number,
    ramBytes: number,
  ) {
    this.ram = new Uint8Array(ramBytes);
    this.x = Array.from({ length: harts }, () => new Array<bigint>(32).fill(0n));
    this.csrValues = Array.from({ length: harts }, () => new Map<number, bigint>([[0x180, 0n]]));
    this.states = new Array<'stopped'>(harts).fill('stopped');
  }
  noteOutsideWrite(address: number, length: number): void {
    this.noted.push([address, length]);
  }
  readX(hart: number, register: number): bigint {
    return this.x[hart]?.[register] ?? 0n;
  }
  writeX(hart: number, register: number, value: bigint): void {
    this.x[hart]![register] = value;
  }
  peekCsr(hart: number, number: number): bigint | undefined {
    return this.csrValues[hart]?.get(number);
  }
  pokeCsr(hart: number, number: number, value: bigint): boolean {
    this.csrValues[hart]?.set(number, value);
    return true;
  }
  startHart(hart: number, pc: bigint, mode: PrivilegeMode): void {
    this.x[hart]?.fill(0n);
    this.csrValues[hart]?.set(0x180, 0n);
    this.started.push({ hart, pc, mode });
    this.states[hart] = 'running';
  }
  stopHart(hart: number): void {
    this.states[hart] = 'stopped';
  }
  hartState(hart: number): 'running' | 'waiting' | 'stopped' {
    return this.states[hart] ?? 'stopped';
  }
  translate(_hart: number, virtualAddress: bigint): number | undefined {
    return Number(virtualAddress);
  }
}

/** The bench processor where the whole contract is asked for: the board uses no more of it than `IdleCpu` has. */
export function asCpu(cpu: IdleCpu): Cpu {
  return new Proxy(cpu, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (value === undefined) throw new Error(`the bench processor has no ${String(key)}`);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  }) as unknown as Cpu;
}

export function memoryOf(cpu: IdleCpu): Ram {
  return new Ram(cpu);
}

export function configuration(changes: Partial<MachineConfiguration> = {}): MachineConfiguration {
  return {
    memoryBytes: 128 << 20,
    harts: 1,
    bios: { kind: 'builtin' },
    guest: { name: 'guest.bin', bytes: Uint8Array.of(0x73, 0, 0x50, 0x10) },
    devices: [],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
    ...changes,
  };
}

/** A configuration that only a complete bios can start. */
export function withoutGuest(changes: Partial<MachineConfiguration>): MachineConfiguration {
  const alone: { -readonly [K in keyof MachineConfiguration]: MachineConfiguration[K] } = configuration(changes);
  delete alone.guest;
  return alone;
}
