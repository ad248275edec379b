// What a device's activity needs of the core around it.
import type { GuestMemory } from '../bus/memory';
import type { Clock } from '../clock';
import type { EventSink } from '../record/events';
import type { VirtioDevice } from './device/interface';
import type { DriverErrorKind, Reaction } from './driver-error';
import type { DeviceMood } from './mood';
import type { DeviceRing, RingFeatures } from './queue/ring';
import type { RingWatch } from './queue/ring-watch';
import type { DelayedStore } from './store-buffer';

/** The device-independent state that activity works on. */
export interface ActivityHost {
  readonly name: string;
  readonly device: VirtioDevice;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sink: EventSink;
  readonly ringWatch: RingWatch;
  /** Virtual nanoseconds. */
  readonly fetchNanoseconds: number;
  readonly completeNanoseconds: number;
  readonly mood: DeviceMood;
  ringFeatures(): RingFeatures;
  /** What `look` gives, and the driver's stores that it should have seen and did not, under the mood `storeBuffer`. */
  watching<Result>(look: () => Result): { readonly result: Result; readonly missed: readonly DelayedStore[] };
  /** The ring of a ready queue whose areas lie in RAM. */
  ring(queue: number): DeviceRing | undefined;
  /** DRIVER_OK, activated, and no reset needed. */
  live(): boolean;
  /** Whether the driver has suspended the device. */
  readonly suspended: boolean;
  /** Whether the device's accesses to memory arrive there. */
  reachesMemory(): boolean;
  driverError(kind: DriverErrorKind, reason: string): Reaction;
  raiseInterrupt(cause: 'used-buffer' | 'config-change', queue: number | undefined): void;
  /** Records that a used buffer caused no interrupt, as the driver asked. */
  interruptSuppressed(queue: number): void;
  /** The queue is as after power-on. */
  queueResetDone(queue: number): void;
  /** Sets DEVICE_NEEDS_RESET and records it. */
  markNeedsReset(reason: string): void;
  /** SUSPEND shows and DRIVER_OK does not, or the other way round. [3.4] */
  markSuspended(suspended: boolean): void;
  /** A reset that took time is over. */
  resetDone(): void;
  /** A new configuration generation, recorded. */
  advanceGeneration(): void;
  output(channel: string, bytes: Uint8Array): void;
}
