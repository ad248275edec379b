// What one rule of the catalogue is: a row of data with a predicate over one typed fact and the watchers' state before that fact.
// Guarantees: predicates are pure, so the same rule can be asked before an access takes effect and again when it has.
import type { GuestMemory } from '../../bus/memory';
import type { DriverOrigin, EventKind, RingPlace, VirtioEvent, VirtioFact } from '../../record/events';
import type { Blame, Evidence, RuleLevel, ViolationPlace } from '../violation';
import { isAdministrationQueue } from '../watch/administration';
import type { BufferView } from '../watch/buffers';
import type { OrderingView } from '../watch/ordering';
import type { DeviceState } from '../watch/state';
import type { FamilyName } from './families';
import { sectionLink } from './links';

/** Everything below is read-only: what a rule may look at but never change. */
export type View<T> = T extends bigint | number | string | boolean | undefined
  ? T
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, View<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<V>
      : T extends readonly (infer V)[]
        ? readonly View<V>[]
        : T extends (...parameters: never[]) => unknown
          ? T
          : { readonly [Key in keyof T]: View<T[Key]> };

/** What a predicate knows besides its fact. The state is the one before the fact. */
export interface RuleContext {
  readonly device: View<DeviceState>;
  readonly memory: GuestMemory;
  readonly ordering: OrderingView;
  readonly buffers: BufferView;
  /** Machine step of the fact. */
  readonly step: number;
  readonly virtualNanoseconds: number;
}

/** An earlier access of the driver that a rule blames. */
export type DriverEvent = VirtioEvent & DriverOrigin;

/** Where a violation is pointed at: any event of the driver will do. */
export interface BlamedAccess {
  readonly hart: number;
  readonly pc: bigint;
  readonly step: number;
}

/** One violation as a predicate finds it. */
export interface Finding {
  /** One sentence with the values, without the rule's title. */
  readonly message: string;
  readonly evidence: readonly Evidence[];
  readonly place?: ViolationPlace | undefined;
  /** The queue concerned, where the fact itself names none. */
  readonly queue?: number | undefined;
  /** The access at fault. Absent: the fact's own access. */
  readonly blamed?: BlamedAccess | undefined;
  /** The earlier event that this follows from, to jump to. */
  readonly related?: VirtioEvent | undefined;
}

/** When a rule can be judged at all. Absent parts: always. */
export interface Needs {
  /** `mmio`: either version of it; `pci`: any of its forms. */
  readonly transport?: 'mmio' | 'pci';
  /** Which interface the driver uses; a transitional device has both. `draft`: the modern one, with the VIRTIO-30 draft's handshake. */
  readonly interface?: 'modern' | 'legacy' | 'draft';
  readonly ring?: 'split' | 'packed';
  /** Feature bit that has to be negotiated (accepted now). */
  readonly feature?: number;
  readonly withoutFeature?: number;
  /** Device ID. */
  readonly device?: number;
}

/** The facts of some kinds, as the union of their types. */
export type FactOf<K extends EventKind> = VirtioFact extends infer Fact
  ? Fact extends { readonly kind: infer Kind }
    ? [Kind & K] extends [never]
      ? never
      : Fact
    : never
  : never;

/** A part of a ring, or one field of it. */
export type PlaceName = RingPlace['part'] | `${RingPlace['part']}.${RingPlace['field']}`;

export interface RuleTexts {
  /** Our own scheme: topic, dot, what went wrong. */
  readonly id: string;
  readonly title: string;
  /** Why it matters, in two or three sentences. */
  readonly why: string;
  /** What to change in the driver. */
  readonly fix: string;
  readonly level: RuleLevel;
  readonly blames: Blame;
  /** Statements of the specification, by the ids of `spec/statements`. */
  readonly covers: readonly string[];
  /** Checks of older machines that this rule keeps alive, by id. */
  readonly ancestors?: readonly string[];
  /** Section of virtio 1.4. */
  readonly section: string;
  readonly needs?: Needs;
  /** Rules whose violation earlier in the same lap explains this one: ids, or a family with `.*`. */
  readonly follows?: readonly string[];
  /** Loads and stores of a ring: the only places that it is about. Absent: every place. */
  readonly places?: readonly PlaceName[];
  /** Listed once for each device, queue and lap, at its first access; later ones only count up, wherever they are executed. */
  readonly once?: boolean;
}

export interface RuleRow<K extends EventKind> extends RuleTexts {
  readonly on: readonly K[];
  /** Whether the fact breaks the rule, and how it shows. */
  readonly broken: (fact: FactOf<K>, at: RuleContext) => false | Finding | readonly Finding[];
}

export interface Rule extends Required<Omit<RuleTexts, 'needs'>> {
  readonly family: FamilyName;
  readonly needs: Needs;
  readonly link: string;
  readonly on: readonly EventKind[];
  /** Empty: the fact does not break the rule. */
  readonly judge: (fact: VirtioFact, at: RuleContext) => readonly Finding[];
}

const nothing: readonly Finding[] = [];

/** Makes a catalogue row out of a row written for exactly its kinds of fact. */
export function rule<K extends EventKind>(family: FamilyName, row: RuleRow<K>): Rule {
  const kinds: readonly EventKind[] = row.on;
  const [first] = kinds;
  const isOurs = (fact: VirtioFact): fact is VirtioFact & FactOf<K> => fact.kind === first || kinds.includes(fact.kind);
  const ofDevice = row.needs?.device !== undefined;
  // What a type of device says of its queues does not hold for an administration virtqueue.
  const isForeign = (fact: VirtioFact, { device }: RuleContext): boolean =>
    'queue' in fact && fact.queue !== undefined && isAdministrationQueue(device, fact.queue);
  return {
    ...row,
    family,
    ancestors: row.ancestors ?? [],
    needs: row.needs ?? {},
    follows: row.follows ?? [],
    places: row.places ?? [],
    once: row.once ?? false,
    link: sectionLink(row.section),
    judge: (fact, at) => {
      if (!isOurs(fact) || (ofDevice && isForeign(fact, at))) return nothing;
      const found = row.broken(fact, at);
      if (found === false) return nothing;
      return Array.isArray(found) ? (found as readonly Finding[]) : [found as Finding];
    },
  };
}
