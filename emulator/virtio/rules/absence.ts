// What the rules of absence share: a device that is still in use, and how long something has been owed. [virtio 1.4, 2.1]
import { status } from '../spec/status';
import type { QueueState } from '../watch/state';
import type { FactOf, Finding, RuleContext, View } from './rule';

export type Moment = { readonly virtualNanoseconds: number };

export const hasPassed = (at: RuleContext, since: Moment, window: number): boolean =>
  at.virtualNanoseconds - since.virtualNanoseconds >= window;

export const milliseconds = (at: RuleContext, since: Moment): string =>
  `${Math.floor((at.virtualNanoseconds - since.virtualNanoseconds) / 1e6)} ms`;

/** A device that its driver still works with. */
function isLive({ device }: RuleContext): boolean {
  const { status: value } = device.handshake;
  return (value & (status.DRIVER_OK | status.FAILED)) === status.DRIVER_OK && device.needsReset === undefined;
}

const nothing: readonly Finding[] = [];

/** Judges each queue of a live device; for `idle` facts, which also come when time has merely passed. */
export function eachQueue(judge: (queue: View<QueueState>, at: RuleContext) => false | Finding) {
  return (_fact: FactOf<'idle'>, at: RuleContext): readonly Finding[] => {
    if (!isLive(at)) return nothing;
    let findings: Finding[] | undefined;
    for (const queue of at.device.queues) {
      const found = queue.ready && judge(queue, at);
      if (found !== false) (findings ??= []).push({ ...found, queue: queue.index });
    }
    return findings ?? nothing;
  };
}
