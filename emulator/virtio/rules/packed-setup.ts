// Rules of enabling packed queues: where their areas lie and what stands in them. [virtio 1.4, 2.8.1, 2.8.10.1, 2.8.11]
import { inMemory } from '../queue/chain';
import { packedAreaOf } from '../queue/ring';
import { eventOffset, packedAlignment, packedBytes, packedFlag, packedOffset } from '../spec/packed-ring';
import { descriptorBytes } from '../spec/split-ring';
import { hex, registerPlace, seen } from './evidence';
import { allAreas, areaNames, areaRegisters, enabled, unusable } from './queue-setup';
import { rule, type Rule } from './rule';

export const packedSetupRules: readonly Rule[] = [
  rule('queue-setup', {
    id: 'packed.misaligned',
    title: 'Driver placed a part of a packed queue at a misaligned address',
    why: 'The descriptor ring starts at a multiple of 16 bytes, the two event suppression structures at multiples of 4; devices read whole entries.',
    fix: 'Align the allocation, for example to a page.',
    level: 'must',
    blames: 'access',
    covers: ['packed.vq.driver.1'],
    section: '2.8.11',
    needs: { ring: 'packed' },
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined) return false;
      const names = areaNames.packed;
      const wrong = allAreas
        .map((area) => ({ area, alignment: packedAlignment[packedAreaOf[area]] }))
        .filter(({ area, alignment }) => setup.areas[area] % BigInt(alignment) !== 0n);
      const [first] = wrong;
      if (first === undefined) return false;
      return {
        message: `${wrong.map(({ area, alignment }) => `The ${names[area]} of queue ${fact.queue} is at ${hex(setup.areas[area])}, which is no multiple of ${alignment}`).join('. ')}.`,
        evidence: wrong.map(({ area }) => seen(names[area], hex(setup.areas[area]))),
        place: registerPlace(areaRegisters[first.area]),
      };
    },
  }),
  rule('queue-setup', {
    id: 'packed.not-zeroed',
    title: 'Driver enabled a packed queue whose memory holds leftovers',
    why: 'Both sides tell new from old by flags that change. A USED flag from an earlier life looks like a completion, and old suppression flags keep the driver silent.',
    fix: 'Clear the descriptor ring and the device area before the queue is enabled, also when it is enabled again.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.8.1',
    needs: { ring: 'packed' },
    follows: unusable,
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined) return false;
      const { areas, size } = setup;
      const place = (index: number) => ({ kind: 'descriptor', queue: fact.queue, index, field: 'flags' }) as const;
      if (inMemory(at.memory, areas.descriptor, packedBytes.descriptor(size))) {
        for (let index = 0; index < size; index++) {
          const flags = at.memory.read16(Number(areas.descriptor) + index * descriptorBytes + packedOffset.flags);
          if ((flags & packedFlag.USED) === 0) continue;
          return {
            message: `Flags of descriptor ${index} of queue ${fact.queue} hold ${hex(flags)} when the queue is enabled.`,
            evidence: [seen('descriptor', index), seen('flags', hex(flags))],
            place: place(index),
          };
        }
      }
      if (!inMemory(at.memory, areas.used, packedBytes.device(size))) return false;
      const flags = at.memory.read16(Number(areas.used) + eventOffset.flags);
      return (
        flags !== 0 && {
          message: `The device event suppression flags of queue ${fact.queue} hold ${hex(flags)} when the queue is enabled.`,
          evidence: [seen('flags', hex(flags))],
          place: { kind: 'event-suppression', queue: fact.queue, side: 'device', field: 'flags' },
        }
      );
    },
  }),
];
