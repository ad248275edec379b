// One test of a rule: the same script is run by a conforming and by a violating driver, which differ in one step only.
import { type BenchOptions, type Bench, blockDevice } from '../../../driver/bench';
import { type DriverOptions, type DriverQueue, type Piece, type ScriptedDriver } from '../../../driver/driver';

export interface Twin {
  readonly rule: string;
  /** Absent: one block device. */
  readonly bench?: (wrong: boolean) => BenchOptions;
  readonly driver?: DriverOptions;
  /** Runs the driver; `wrong` chooses the twin. Returns the pc that has to be blamed, where the script knows it. */
  readonly script: (driver: ScriptedDriver, wrong: boolean, bench: Bench) => bigint | undefined;
}

export const oneBlockDevice = (): BenchOptions => ({ devices: [blockDevice()] });

/** Discovery up to DRIVER. */
export function introduce(d: ScriptedDriver): void {
  d.probe();
  d.reset();
  d.acknowledge();
  d.driver();
}

/** Discovery up to confirmed features. */
export function negotiate(d: ScriptedDriver): void {
  introduce(d);
  d.negotiate();
  d.confirmFeatures();
}

/** Runs `act` and says at which pc its first access was. */
export function at(d: ScriptedDriver, act: () => void): bigint {
  const pc = d.bench.nextPc;
  act();
  return pc;
}

/** Hands a chain over; only the conforming driver expects to get it back. */
export function request(d: ScriptedDriver, queue: DriverQueue, pieces: readonly Piece[], wrong: boolean): void {
  const head = d.addChain(queue, pieces);
  handOver(d, queue, head, wrong);
}
export function handOver(d: ScriptedDriver, queue: DriverQueue, head: number, wrong: boolean): void {
  d.publish(queue, head);
  d.notifyIfWanted(queue);
  if (!wrong) d.waitUsed(queue);
}

/** Pc of the store to a descriptor's field by the `writeDescriptor` that began at `pc`. */
export function storePc(pc: bigint, field: 'addr' | 'len' | 'flags' | 'next', descriptor = 0): bigint {
  const stores = { addr: 0n, len: 1n, flags: 2n, next: 3n };
  return pc + (BigInt(descriptor) * 4n + stores[field]) * 4n;
}
