// Moods: unusual but legal behaviour of a device, as a table of switches. A driver that keeps to the specification works under each of
// them; one that only works with friendly devices shows its mistake. [virtio 1.4, 2.1.2, 2.2.2, 2.4.1, 2.5, 2.7.7.1, 2.7.8.2, 2.7.10.2]
// Guarantees: the same seed gives the same choices; without a switch nothing is chosen and nothing differs.
import type { RingPlace, VirtioFact } from '../record/events';
import { RandomSequence } from './random-sequence';
import { deviceId } from './spec/device-id';
import { bitsOf, feature, featureRange, featureSet, findFeature } from './spec/feature';
import { missingRequirements } from './spec/feature-check';
import { blockFeature } from './spec/block';
import { packedFlag } from './spec/packed-ring';
import { status } from './spec/status';

export interface MoodRow {
  readonly name: string;
  readonly meaning: string;
  /** Why a device may do this. */
  readonly section: string;
  /** Part of `"mood": "strict"`. */
  readonly strict: boolean;
}

export const moodTable = [
  {
    name: 'eagerFetch',
    meaning:
      'The device looks at the ring as soon as the available index is stored, without waiting for the notification.',
    section: '2.7.6',
    strict: false,
  },
  {
    name: 'delayedCompletion',
    meaning: 'Each buffer takes up to a millisecond longer.',
    section: '2.7.8',
    strict: false,
  },
  {
    name: 'outOfOrderCompletion',
    meaning:
      'Buffers come back in another order than they were made available, unless VIRTIO_F_IN_ORDER is negotiated.',
    section: '2.7.8',
    strict: true,
  },
  {
    name: 'batchedCompletion',
    meaning: 'Buffers are given back in groups, every 50 microseconds.',
    section: '2.7.8',
    strict: false,
  },
  {
    name: 'worstMomentCompletion',
    meaning:
      'A buffer comes back right after the driver has looked at the used index and seen nothing: before it acknowledges, switches interrupts on or goes to sleep.',
    section: '2.7.8',
    strict: true,
  },
  {
    name: 'changingSuppression',
    meaning: 'The device asks for notifications again at once, or only after a while in which it looks by itself.',
    section: '2.7.10.2',
    strict: true,
  },
  {
    name: 'interruptedSubmit',
    meaning:
      'While the driver fills the ring and has not published yet, what is under way comes back at once, or an interrupt comes without a buffer.',
    section: '2.7.13',
    strict: true,
  },
  {
    name: 'spuriousInterrupts',
    meaning: 'Interrupts come without a used buffer, and although the driver asked for none.',
    section: '2.7.7.1',
    strict: true,
  },
  {
    name: 'storeBuffer',
    meaning:
      'What the driver stores to rings and tables reaches the device up to 10 microseconds late, as a hart may delay it: out of order, unless a fence or a release keeps the order.',
    section: '2.7.13.3',
    strict: true,
  },
  {
    name: 'slowReset',
    meaning: 'A reset takes 5 microseconds, in which Status keeps its value and writes are lost.',
    section: '2.4.1',
    strict: true,
  },
  {
    name: 'refusedFeatures',
    meaning:
      'FEATURES_OK stays clear unless the driver accepts nothing but the features that every driver must accept.',
    section: '2.2.2',
    strict: false,
  },
  {
    name: 'unknownFeatures',
    meaning: 'The device offers feature bits to which no version of the specification gives a meaning yet.',
    section: '2.2.1',
    strict: true,
  },
  {
    name: 'baitFeatures',
    meaning:
      'Features that the device has and usually keeps to itself are offered, by the seed: IN_ORDER, NOTIFICATION_DATA, RING_RESET, SUSPEND.',
    section: '2.2',
    strict: true,
  },
  {
    name: 'withheldFeatures',
    meaning: 'Half of the optional features, chosen by the seed, are not offered.',
    section: '2.2',
    strict: false,
  },
  {
    name: 'poisonedConfig',
    meaning: 'Configuration fields whose feature is not offered read as 0xa5 bytes.',
    section: '2.5',
    strict: true,
  },
  {
    name: 'changingConfig',
    meaning: 'ConfigGeneration moves between the halves of a wide field, twice in each initialisation.',
    section: '2.5',
    strict: true,
  },
  {
    name: 'baitCapabilities',
    meaning:
      'On PCI the capabilities stand in another order, some twice, with others of a reserved type, a reserved register and another vendor among them, and queue_notify_off is permuted.',
    section: '4.1.4',
    strict: true,
  },
  {
    name: 'fewVectors',
    meaning: 'On PCI the MSI-X table has one or two vectors.',
    section: '4.1.5.1.2',
    strict: true,
  },
  {
    name: 'refusedVectors',
    meaning: 'On PCI one in three mappings of a vector fails: the field then reads as NO_VECTOR.',
    section: '4.1.5.1.2',
    strict: false,
  },
  {
    name: 'smallQueues',
    meaning: 'Queues have 4 to 32 entries at most, each another number.',
    section: '2.7',
    strict: true,
  },
  {
    name: 'poisonedMemory',
    meaning: 'RAM holds 0xa5 bytes at power-on, before the guest is loaded.',
    section: '2.7',
    strict: true,
  },
  {
    name: 'canary',
    meaning: 'The device writes 0xc9 bytes into the device-writable bytes behind the used length.',
    section: '2.7.8.2',
    strict: true,
  },
  {
    name: 'needsReset',
    meaning: 'After some requests, once, the device sets DEVICE_NEEDS_RESET and stops.',
    section: '2.1.2',
    strict: false,
  },
  {
    name: 'runningAtBoot',
    meaning: 'Status shows a device that earlier software left running.',
    section: '3.1.1',
    strict: false,
  },
] as const satisfies readonly MoodRow[];

export type MoodSwitch = (typeof moodTable)[number]['name'];

/** What is asked for by name elsewhere and cannot be had, and why. */
export const refusedMoods: Readonly<Record<string, string>> = {
  preAgedIndices:
    'a queue begins at index 0 on both sides, so no legal device can begin elsewhere; with eagerFetch and a latency of "0us" 65536 requests take a second or two',
  splitFrames:
    'a device fills each receive buffer before it goes on to the next, so it may spread a frame only where the driver’s buffers are smaller; give the driver small buffers instead',
};

export function isMoodSwitch(name: string): name is MoodSwitch {
  return moodTable.some((row) => row.name === name);
}

export const strictMood: readonly MoodSwitch[] = moodTable.filter((row) => row.strict).map((row) => row.name);

/** Virtual nanoseconds. */
const longestDelay = 1_000_000;
const shuffleDelay = 20_000;
const batchPeriod = 50_000;
const longestQuiet = 100_000;
const longestSpurious = 200_000;
export const slowResetNanoseconds = 5_000;
/** Changes of ConfigGeneration in one lap: enough to be noticed, few enough for a loop to end. */
const configChangesInLap = 2;
export const poisonByte = 0xa5;
export const canaryByte = 0xc9;

/** Status of a device that earlier software left alone. */
export const leftRunning = status.ACKNOWLEDGE | status.DRIVER | status.FEATURES_OK | status.DRIVER_OK;

/** How one device behaves: its switches, and the choices that they leave to the seed. */
export class DeviceMood {
  private readonly switches: ReadonlySet<MoodSwitch>;
  private readonly sequence: RandomSequence;
  /** The number of the buffer after which the device needs a reset; undefined: none. */
  readonly lastBuffer: number | undefined;

  /** @param hostile the device also lies: wrong used ids and lengths, which no legal device gives */
  constructor(
    switches: readonly MoodSwitch[],
    readonly hostile: boolean,
    seed: number,
    name: string,
  ) {
    this.switches = new Set(switches);
    this.sequence = new RandomSequence(seed, `${name} mood`);
    this.lastBuffer = this.has('needsReset') ? 4 + this.choose(16) : undefined;
  }

  has(name: MoodSwitch): boolean {
    return this.switches.has(name);
  }

  /** A whole number from 0 to `limit` - 1. */
  choose(limit: number): number {
    const [a = 0, b = 0, c = 0] = this.sequence.bytes(4);
    return (a | (b << 8) | (c << 16)) % limit;
  }

  /** When a buffer comes back that would at `due`. */
  completionDue(due: number, keepsOrder: boolean): number {
    let at = due;
    if (this.has('delayedCompletion') && !keepsOrder) at += this.choose(longestDelay);
    if (this.has('outOfOrderCompletion') && !keepsOrder) at += this.choose(shuffleDelay);
    return this.has('batchedCompletion') ? Math.ceil(at / batchPeriod) * batchPeriod : at;
  }

  /** How long the device goes on looking by itself before it asks for notifications again. */
  quietFor(usual: number): number {
    if (!this.has('changingSuppression')) return usual;
    return this.choose(2) === 0 ? 0 : this.choose(longestQuiet);
  }

  /** After how long an interrupt without cause follows; undefined: none. */
  spuriousAfter(): number | undefined {
    return this.has('spuriousInterrupts') && this.choose(4) === 0 ? this.choose(longestSpurious) : undefined;
  }
  /** Whether the driver is disturbed while it fills the ring. */
  interruptsSubmit(): boolean {
    return this.has('interruptedSubmit') && this.choose(4) === 0;
  }
  refusesVector(): boolean {
    return this.has('refusedVectors') && this.choose(3) === 0;
  }
  interruptsAnyway(): boolean {
    return this.has('spuriousInterrupts') && this.choose(4) === 0;
  }

  /** Whether the configuration changes behind a read of half a field. */
  changesConfig(changesSoFar: number): boolean {
    return this.has('changingConfig') && changesSoFar < configChangesInLap && this.choose(2) === 0;
  }

  /** What a device that lies says instead. */
  falseUsed(head: number, length: number): { readonly head: number; readonly length: number } {
    if (!this.hostile) return { head, length };
    switch (this.choose(8)) {
      case 0:
        return { head: head ^ (1 << this.choose(16)), length };
      case 1:
        return { head, length: length + 1 + this.choose(0x1_0000) };
      default:
        return { head, length };
    }
  }

  save(): readonly number[] {
    return this.sequence.save();
  }
  restore(words: readonly number[]): void {
    this.sequence.restore(words);
  }
}

/** Bits without which a device or its transport cannot be driven, or that its configuration decides. */
const kept = featureSet(feature.VERSION_1, feature.RING_PACKED, feature.ACCESS_PLATFORM);

/** What a device offers only when it is asked to, and no driver is told to accept. */
export const baitFeatures = featureSet(
  feature.IN_ORDER,
  feature.NOTIFICATION_DATA,
  feature.RING_RESET,
  feature.SUSPEND,
);

/** Some of the bits in `baits`. */
export function baitInMood(baits: bigint, mood: DeviceMood): bigint {
  if (!mood.has('baitFeatures')) return 0n;
  return featureSet(...bitsOf(baits).filter(() => mood.choose(2) === 0));
}

/** The offer under a mood: some optional bits withheld, bits without a meaning added. */
export function offerInMood(device: number, offered: bigint, mood: DeviceMood): bigint {
  let offer = offered;
  if (mood.has('withheldFeatures')) {
    const fixed = kept | (device === deviceId.block ? featureSet(blockFeature.RO) : 0n);
    for (const bit of bitsOf(offer & ~fixed)) if (mood.choose(2) === 0) offer &= ~featureSet(bit);
    for (let missing = missingRequirements(device, offer); missing.length > 0;) {
      for (const { bit } of missing.filter((defect) => defect.kind === 'requires')) offer &= ~featureSet(bit);
      missing = missingRequirements(device, offer);
    }
  }
  if (mood.has('unknownFeatures')) {
    const unknown = Array.from({ length: 64 }, (_, bit) => bit).filter(
      (bit) => featureRange(bit) === 'device' && findFeature(device, bit) === undefined,
    );
    offer |= featureSet(...unknown.filter((bit) => bit < 32).slice(-2));
  }
  return offer;
}

/** Bits of an accepted set that a device in the mood `refusedFeatures` does not take. */
export function refusedBits(accepted: bigint): bigint {
  return accepted & ~kept;
}

/** Largest size of a queue under a mood. */
export function queueSizeInMood(size: number, queue: number, mood: DeviceMood): number {
  return mood.has('smallQueues') ? Math.min(size, 4 << ((queue + mood.choose(3)) % 4)) : size;
}

/** What a driver does in a ring that a mood answers with a completion at a bad moment. */
export interface Provocation {
  readonly by: 'look' | 'filling';
  readonly queue: number;
  /** What it saw: the used index, or in a packed ring undefined when there is nothing to see. */
  readonly seen?: number | undefined;
}

/** A look for used buffers; or a store that comes before a publish: an available slot, or the length of a packed descriptor. */
export function provocationOf(fact: VirtioFact): Provocation | undefined {
  if (fact.kind !== 'ring-load' && fact.kind !== 'ring-store') return undefined;
  const { place, queue, after } = fact;
  if (fact.kind === 'ring-load') {
    if (place.part === 'used') return place.field === 'idx' ? { by: 'look', queue, seen: Number(after) } : undefined;
    return isPackedWaiting(place, Number(after)) ? { by: 'look', queue } : undefined;
  }
  const fills =
    place.part === 'available' ? place.field === 'ring' : place.part === 'descriptor' && place.field === 'len';
  return fills ? { by: 'filling', queue } : undefined;
}

/** Flags of a packed descriptor that the device has not used: AVAIL and USED differ. [2.8.1] */
function isPackedWaiting(place: RingPlace, flags: number): boolean {
  if (place.part !== 'descriptor' || place.field !== 'flags') return false;
  return ((flags & packedFlag.AVAIL) !== 0) !== ((flags & packedFlag.USED) !== 0);
}
