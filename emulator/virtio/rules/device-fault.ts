// Mistakes of a device model. They are a family of their own and never look like the driver's. [virtio 1.4, 2.2.2]
import { missingRequirements, featureDefectText } from '../spec/feature-check';
import type { ChainState, QueueState } from '../watch/state';
import { inFlight } from '../watch/chains';
import { hex, seen } from './evidence';
import { rule, type Rule, type View } from './rule';

/** Chains at the device; undefined where some were made available before the ring was watched. */
function heldChains(queue: View<QueueState> | undefined): readonly View<ChainState>[] | undefined {
  if (queue === undefined) return undefined;
  const held = inFlight(queue);
  return held.length === ((queue.fetchedIndex - queue.usedIndex) & 0xffff) ? held : undefined;
}

export const deviceFaultRules: readonly Rule[] = [
  rule('device-fault', {
    id: 'device.fault',
    title: 'The device model failed',
    why: 'The model broke the contract of its interface or threw an error. What the driver sees from here on is not its fault.',
    fix: 'Correct the device model; the message says what it did.',
    level: 'must',
    blames: 'device',
    covers: [],
    section: '2',
    on: ['device-fault'],
    broken: (fact) => ({ message: fact.message, evidence: [] }),
  }),
  rule('device-fault', {
    id: 'device.used-not-held',
    title: 'The device model used a buffer that it did not hold',
    why: 'The id of a used entry names a chain that the device was given. A driver that trusts another one completes or frees a request that is still under way.',
    fix: 'Correct the device model: give back heads that were fetched, each once. With "hostile" this is intended, and shows whether the driver checks ids.',
    level: 'must',
    blames: 'device',
    covers: [],
    section: '2.7.8',
    needs: { ring: 'split' },
    once: true,
    on: ['used'],
    broken: (fact, { device }) => {
      const held = heldChains(device.queues[fact.queue]);
      if (held === undefined || held.some(({ chain }) => chain.head === fact.head)) return false;
      return {
        message: `Head ${fact.head} of queue ${fact.queue} was used; the device holds ${held.map(({ chain }) => chain.head).join(', ') || 'none'}.`,
        evidence: [seen('head', fact.head), seen('used idx', fact.usedIndex)],
        place: { kind: 'used', queue: fact.queue, field: 'ring', slot: fact.slot },
      };
    },
  }),
  rule('device-fault', {
    id: 'device.used-too-long',
    title: 'The device model says it wrote more than a buffer holds',
    why: 'The length of a used entry is at most the number of device-writable bytes. A driver that trusts a larger one reads or copies memory behind its buffer.',
    fix: 'Correct the device model: count the bytes that were written. With "hostile" this is intended, and shows whether the driver checks lengths.',
    level: 'must',
    blames: 'device',
    covers: [],
    section: '2.7.8.2',
    needs: { ring: 'split' },
    once: true,
    on: ['used'],
    broken: (fact, { device }) => {
      const used = heldChains(device.queues[fact.queue])?.find(({ chain }) => chain.head === fact.head);
      if (used === undefined) return false;
      const room = used.chain.elements.reduce(
        (sum, { deviceWritable, length }) => sum + (deviceWritable ? length : 0),
        0,
      );
      return (
        fact.length > room && {
          message: `Head ${fact.head} of queue ${fact.queue} was used with length ${fact.length}; its buffer has ${room} device-writable bytes.`,
          evidence: [seen('length', fact.length), seen('device-writable bytes', room)],
          place: { kind: 'used', queue: fact.queue, field: 'ring', slot: fact.slot },
        }
      );
    },
  }),
  rule('device-fault', {
    id: 'device.offer-inconsistent',
    title: 'The device model offers a feature without one that it needs',
    why: 'No driver can accept the feature correctly, so a correct driver may look wrong.',
    fix: 'Offer the required feature too, or withdraw the dependent one.',
    level: 'must',
    blames: 'device',
    covers: [],
    ancestors: ['akaros.offered-combination'],
    section: '2.2.2',
    once: true,
    on: ['identity-read'],
    broken: (fact, { device: { description } }) => {
      if (fact.register !== 'MagicValue') return false;
      const missing = missingRequirements(description.deviceId, description.offered);
      return (
        missing.length !== 0 && {
          message: `${missing
            .map((defect) => featureDefectText(description.deviceId, defect))
            .join('; ')
            .replaceAll('was accepted', 'is offered')}.`,
          evidence: [seen('offered', hex(description.offered))],
        }
      );
    },
  }),
];
