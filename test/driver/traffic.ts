// Legal random traffic through any combination of transport, ring format and features, for properties: a driver that keeps several requests
// under way, notifies late, takes back when it likes and changes its mind about interrupts. [virtio 1.4, 2.7, 2.8]
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bitsOf, feature } from '../../emulator/virtio/spec/feature';
import { eventFlag } from '../../emulator/virtio/spec/packed-ring';
import { availableOffset } from '../../emulator/virtio/spec/split-ring';
import { Bench, blockDevice, consoleDevice, entropyDevice } from './bench';
import { blockParts } from './block';
import { type Combination, driverOf, forbidden, offerOf, type Reach, reaches } from './combination';
import type { DriverQueue, Piece, ScriptedDriver } from './driver';
import { PackedDriver } from './packed-driver';

export interface Ring {
  readonly reach: Reach;
  readonly packed: boolean;
  readonly indirect: boolean;
  readonly eventIdx: boolean;
  readonly inOrder: boolean;
  readonly notificationData: boolean;
  readonly notifConfigData: boolean;
  readonly queueSize: number;
}
export type DeviceName = 'block' | 'console' | 'entropy';
export type Action =
  | { readonly kind: 'submit'; readonly sector: number; readonly parts: number; readonly table: boolean }
  | { readonly kind: 'notify' | 'collect' | 'interrupt' }
  | { readonly kind: 'run'; readonly steps: number }
  | { readonly kind: 'suppress'; readonly how: 'none' | 'all' | 'event' };

export function combinationOf(ring: Ring): Combination {
  const features = [
    ...(ring.indirect ? [feature.INDIRECT_DESC] : []),
    ...(ring.eventIdx ? [feature.EVENT_IDX] : []),
    ...(ring.inOrder ? [feature.IN_ORDER] : []),
    ...(ring.notificationData ? [feature.NOTIFICATION_DATA] : []),
    ...(ring.notifConfigData ? [feature.NOTIF_CONFIG_DATA] : []),
  ];
  return { reach: ring.reach, ring: ring.packed ? 'packed' : 'split', features };
}

const flags = ['packed', 'indirect', 'eventIdx', 'inOrder', 'notificationData', 'notifConfigData'] as const;

/** Every combination that is not forbidden, without a queue size. */
export const formats: readonly Omit<Ring, 'queueSize'>[] = reaches.flatMap((reach) =>
  Array.from({ length: 1 << flags.length }, (_, bits) => {
    const on = (flag: (typeof flags)[number]): boolean => ((bits >> flags.indexOf(flag)) & 1) === 1;
    return {
      reach,
      packed: on('packed'),
      indirect: on('indirect'),
      eventIdx: on('eventIdx'),
      inOrder: on('inOrder'),
      notificationData: on('notificationData'),
      notifConfigData: on('notifConfigData'),
    };
  }).filter((format) => forbidden(combinationOf({ ...format, queueSize: 0 })) === undefined),
);

/** That format with queues of a size that it allows: a packed ring may have any. */
export function sized(format: Omit<Ring, 'queueSize'>): fc.Arbitrary<Ring> {
  return fc
    .record({ exponent: fc.integer({ min: 3, max: 5 }), odd: fc.integer({ min: 0, max: 5 }) })
    .map(({ exponent, odd }) => ({ ...format, queueSize: (1 << exponent) + (format.packed ? odd : 0) }));
}
export const ringArbitrary: fc.Arbitrary<Ring> = fc.constantFrom(...formats).chain(sized);
export const devices: readonly DeviceName[] = ['block', 'console', 'entropy'];

const submit = fc.record({
  kind: fc.constant('submit' as const),
  sector: fc.nat(60),
  parts: fc.integer({ min: 1, max: 3 }),
  table: fc.boolean(),
});
export const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: submit },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('notify' as const, 'collect', 'interrupt') }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 15_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('suppress' as const),
      how: fc.constantFrom('none' as const, 'all', 'event'),
    }),
  },
);

/** Places of buffers and tables: one for each request that can be under way. */
const places = 16;

export class Traffic {
  readonly bench: Bench;
  readonly d: ScriptedDriver;
  readonly queue: DriverQueue;
  private readonly sizes = new Map<number, number>();
  private taken = 0;
  private submitted = 0;
  private unnotified = false;

  constructor(
    readonly ring: Ring,
    private readonly deviceName: DeviceName = 'block',
  ) {
    const combination = combinationOf(ring);
    const make = { block: blockDevice, console: consoleDevice, entropy: entropyDevice }[deviceName];
    // Through the legacy header of PCI a queue has the size that the device gives it.
    const deviceQueueSize = ring.reach.legacy ? ring.queueSize : 256;
    this.bench = new Bench({ devices: [make({ ...offerOf(combination), queueSize: deviceQueueSize })], order: true });
    const queues = deviceName === 'console' ? [0, 1] : [0];
    this.d = driverOf(this.bench, combination, 0n, { queueSize: ring.queueSize, queues });
    this.d.start();
    const bits = bitsOf(this.d.accepted);
    for (const bit of combination.features) assert.ok(bits.includes(bit), `bit ${bit} was accepted`);
    this.queue = this.d.queue(deviceName === 'console' ? 1 : 0);
  }

  get packed(): PackedDriver {
    assert.ok(this.d instanceof PackedDriver);
    return this.d;
  }

  /** A request in several buffers, at a place that no request under way uses: a read of one sector, for a block device. */
  pieces(sector: number, parts: number): Piece[] {
    if (this.deviceName !== 'block') {
      const at = this.d.buffer((this.submitted % places) * 0x400);
      const deviceWritable = this.deviceName === 'entropy';
      return Array.from({ length: parts }, (_, i) => ({
        address: at + i * 0x40,
        length: 16 + (sector % 48),
        deviceWritable,
      }));
    }
    const { header, status } = blockParts(this.d, 0, { sector, at: (this.submitted % places) * 0x400 });
    let address = header.address + 0x100;
    const data = dataLengths(parts).map((length) => {
      const piece = { address, length, deviceWritable: true };
      address += length;
      return piece;
    });
    return [header, ...data, status];
  }

  table(): number {
    return this.d.table((this.submitted % places) * 0x100);
  }

  /** Adds a chain and remembers how much it takes; the caller publishes. */
  add(pieces: readonly Piece[], table: boolean): number {
    const useTable = table && this.ring.indirect;
    const need = useTable ? 1 : pieces.length;
    while (this.queue.size - this.taken < need || this.sizes.size >= places) this.wait();
    const head = useTable
      ? this.d.addIndirectChain(this.queue, pieces, this.table())
      : this.d.addChain(this.queue, pieces);
    this.sizes.set(head, need);
    this.taken += need;
    this.submitted++;
    return head;
  }

  publish(head: number): void {
    this.d.publish(this.queue, head);
    this.unnotified = true;
  }

  act(each: Action): void {
    switch (each.kind) {
      case 'submit':
        this.publish(this.add(this.pieces(each.sector, each.parts), each.table));
        return;
      case 'notify':
        this.notify();
        return;
      case 'collect':
        if (this.d.hasUsed(this.queue)) this.collect();
        return;
      case 'interrupt':
        this.d.serveInterrupt();
        return;
      case 'run':
        this.bench.run(each.steps);
        return;
      case 'suppress':
        this.suppress(each.how);
    }
  }

  notify(): void {
    if (this.unnotified) this.d.notifyIfWanted(this.queue);
    this.unnotified = false;
  }

  /** Everything comes back, interrupts are wanted again, and nothing is left to do. */
  finish(): void {
    this.suppress('none');
    while (this.sizes.size > 0) this.wait();
    while (this.d.serveInterrupt());
    this.bench.idle();
  }

  private wait(): void {
    this.notify();
    this.d.serveInterrupt();
    this.collect();
  }

  private collect(): void {
    const before = [...this.sizes.keys()];
    const id = this.d.waitUsed(this.queue);
    const done = this.ring.inOrder ? before.slice(0, before.indexOf(id) + 1) : [id];
    for (const head of done) {
      this.taken -= this.sizes.get(head) ?? 0;
      this.sizes.delete(head);
    }
  }

  private suppress(how: 'none' | 'all' | 'event'): void {
    const { queue, d } = this;
    if (this.ring.packed) {
      if (how === 'event' && this.ring.eventIdx) this.packed.wantInterruptAt(queue, queue.lastUsed);
      else this.packed.wantInterrupts(queue, how === 'all' ? eventFlag.DISABLE : eventFlag.ENABLE);
    } else if (this.ring.eventIdx) {
      this.bench.store(queue.available + availableOffset.usedEvent(queue.size), 2, queue.lastUsed);
    } else this.bench.store(queue.available, 2, how === 'all' ? 1 : 0);
    // Whoever asks for interrupts looks once more for what came before, behind a fence. [2.7.7, 2.8.14]
    this.bench.fence('w', 'r');
    d.hasUsed(queue);
  }
}

/** 512 bytes in so many parts. */
function dataLengths(parts: number): readonly number[] {
  const lengths = Array.from({ length: parts - 1 }, (_, i) => 512 / 2 ** (i + 1));
  return [...lengths, 512 - lengths.reduce((sum, length) => sum + length, 0)];
}

export function causes({ monitor }: Bench): readonly string[] {
  const { violations } = monitor;
  const consequences = new Set(violations.flatMap((violation) => violation.consequences));
  return violations.filter(({ number }) => !consequences.has(number)).map(({ rule }) => rule);
}
export const told = ({ monitor }: Bench): string =>
  monitor.violations.map(({ rule, message }) => `${rule}: ${message}`).join('\n');
