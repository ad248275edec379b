// Makes a recorded event of a fact: its place in the stream and its time are added.
// Guarantees: cheap, as there may be hundreds of thousands in a second; nobody changes an event once it is stamped.
import type { DriverOrigin, EventStamp, RingFact, VirtioEvent, VirtioFact } from './events';

type Stampable = VirtioFact & { -readonly [Field in keyof EventStamp]?: EventStamp[Field] };
type FieldAccess = DriverOrigin & Extract<RingFact, { kind: 'ring-load' | 'ring-store' }>;

/** The fact with its stamp. The fact becomes the event where that is possible: whoever made it lets go of it. */
export function stamped(fact: VirtioFact, index: number, step: number, virtualNanoseconds: number): VirtioEvent {
  if (fact.kind === 'ring-load' || fact.kind === 'ring-store') {
    return fieldEvent(fact, index, step, virtualNanoseconds);
  }
  const own: Stampable = isStamped(fact) ? { ...fact } : fact;
  stamp(own, index, step, virtualNanoseconds);
  return own;
}

/** Whether a plain object is a recorded event, which may be shared. */
export function isStamped(value: object): boolean {
  return 'virtualNanoseconds' in value && 'index' in value && 'kind' in value;
}

function stamp(
  fact: Stampable,
  index: number,
  step: number,
  virtualNanoseconds: number,
): asserts fact is Stampable & VirtioEvent {
  fact.index = index;
  fact.step = step;
  fact.virtualNanoseconds = virtualNanoseconds;
}

/** By far the most frequent events: always of one shape. */
function fieldEvent(
  { kind, device, queue, place, physicalAddress, before, after, partial, acquire, release, hart, pc }: FieldAccess,
  index: number,
  step: number,
  virtualNanoseconds: number,
): VirtioEvent {
  // Written out: a spread would cost more than the rest of recording.
  return {
    kind,
    by: 'driver',
    hart,
    pc,
    device,
    queue,
    place,
    physicalAddress,
    before,
    after,
    partial,
    acquire,
    release,
    index,
    step,
    virtualNanoseconds,
  };
}
