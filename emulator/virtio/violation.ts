// A rule broken, with its evidence: what every view, report and stop shows. The rule's texts are in the catalogue, by id.
import type { VirtioEvent } from '../record/events';
import type { TransportName } from './spec/feature';

export type RuleLevel = 'must' | 'should' | 'hazard';
/** What a rule blames. [design: who is at fault decides where the machine stops] `device`: the device model, never the driver. */
export type Blame = 'access' | 'descriptor store' | 'publish' | 'missing action' | 'device';

/** One fact that shows the violation, for people and for tools. Addresses are written as 0x text. */
export interface Evidence {
  readonly name: string;
  readonly value: string;
}

/** The cell of a picture that a violation marks. */
export type ViolationPlace =
  | { readonly kind: 'register'; readonly register: string }
  | { readonly kind: 'status' }
  | { readonly kind: 'feature'; readonly bit: number }
  | { readonly kind: 'config'; readonly offset: number; readonly size: number }
  | {
      readonly kind: 'descriptor';
      readonly queue: number;
      readonly index: number;
      readonly field?: 'addr' | 'len' | 'flags' | 'next' | 'id';
      readonly table?: number;
    }
  | {
      readonly kind: 'available';
      readonly queue: number;
      readonly field: 'flags' | 'idx' | 'used_event' | 'ring';
      readonly slot?: number;
    }
  | {
      readonly kind: 'used';
      readonly queue: number;
      readonly field: 'flags' | 'idx' | 'avail_event' | 'ring';
      readonly slot?: number;
    }
  | {
      /** An event suppression structure of a packed ring, by whom it tells what it wants. */
      readonly kind: 'event-suppression';
      readonly queue: number;
      readonly side: 'driver' | 'device';
      readonly field?: 'desc' | 'flags';
    }
  | { readonly kind: 'queue'; readonly queue: number }
  | { readonly kind: 'interrupt' };

export interface Violation {
  /** Position in the machine's list of violations, from 0. */
  readonly number: number;
  readonly rule: string;
  readonly level: RuleLevel;
  readonly family: string;
  readonly device: string;
  /** How the device is reached, and whether over its legacy interface: the rule's texts then name its registers. */
  readonly transport: TransportName;
  readonly legacy: boolean;
  readonly queue: number | undefined;
  /** The blamed access. For `missing action` the publish or the last access that should have been followed. */
  readonly hart: number;
  readonly pc: bigint;
  /** Step of the blamed access; `foundAtStep` is where the machine noticed. */
  readonly step: number;
  readonly foundAtStep: number;
  readonly virtualNanoseconds: number;
  /** One sentence with the values. */
  readonly message: string;
  readonly evidence: readonly Evidence[];
  readonly place: ViolationPlace | undefined;
  /** The earlier event that it follows from (a publish, a status write), to jump to. */
  readonly related: VirtioEvent | undefined;
  /** Indices of later violations that only follow from this one. */
  readonly consequences: readonly number[];
  /** How often the same rule, device, queue and pc was seen. */
  readonly count: number;
  /** Whether the blamed access has not taken effect (the hart stands in front of it). */
  readonly beforeEffect: boolean;
}
