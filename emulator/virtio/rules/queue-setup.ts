// Rules of configuring, enabling and stopping a queue. [virtio 1.4, 2.7.1, 4.2.2.2, 4.2.3.2]
import { inMemory } from '../queue/chain';
import { type AreaName, bytesOfArea, type RingFormat } from '../queue/ring';
import { feature, hasFeature } from '../spec/feature';
import { areaAlignment, maximumQueueSize } from '../spec/split-ring';
import { status } from '../spec/status';
import { areasOf } from '../watch/queue-setup';
import { hex, registerPlace, seen } from './evidence';
import { type FactOf, rule, type Rule, type RuleContext, type View } from './rule';
import type { QueueState } from '../watch/state';

type ReadyWrite = FactOf<'queue-ready-write'>;

export interface EnabledQueue {
  readonly queue: View<QueueState>;
  /** As negotiated. */
  readonly format: RingFormat;
  readonly size: number;
  readonly areas: Readonly<Record<AreaName, bigint>>;
}

/** The queue that a write to QueueReady enables, with what was configured for it. */
export function enabled(fact: ReadyWrite, at: RuleContext): EnabledQueue | undefined {
  const queue = at.device.queues[fact.queue];
  if (queue === undefined || fact.before !== 0 || fact.value === 0) return undefined;
  const format = hasFeature(at.device.features.accepted, feature.RING_PACKED) ? 'packed' : 'split';
  if (fact.pageFrame !== undefined) return { queue, format, size: fact.pageFrame.size, areas: fact.pageFrame };
  return { queue, format, size: queue.setup.QueueSize ?? queue.maximumSize, areas: areasOf(queue.setup) };
}

/** What each format calls the three areas. */
export const areaNames: Readonly<Record<RingFormat, Readonly<Record<AreaName, string>>>> = {
  split: { descriptor: 'descriptor table', available: 'available ring', used: 'used ring' },
  packed: { descriptor: 'descriptor ring', available: 'driver area', used: 'device area' },
};
export const areaRegisters: Readonly<Record<AreaName, string>> = {
  descriptor: 'QueueDescLow',
  available: 'QueueDriverLow',
  used: 'QueueDeviceLow',
};
export const allAreas: readonly AreaName[] = ['descriptor', 'available', 'used'];

const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

export const unusable = ['queue.area-outside-memory', 'queue.not-configured', 'queue.reset-not-configured'] as const;

export const queueSetupRules: readonly Rule[] = [
  rule('queue-setup', {
    id: 'queue.not-available',
    title: 'Driver set up a queue that the device does not have',
    why: 'QueueSel names a queue whose QueueSizeMax is 0: the registers below it belong to no queue, and the set-up is lost.',
    fix: 'Read QueueSizeMax after writing QueueSel and leave the queue alone when it is 0.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: [
      'akaros.queue-num-sel',
      'akaros.queue-ready-sel',
      'akaros.QueueDescLow-sel',
      'akaros.QueueDescHigh-sel',
      'akaros.QueueAvailLow-sel',
      'akaros.QueueAvailHigh-sel',
      'akaros.QueueUsedLow-sel',
      'akaros.QueueUsedHigh-sel',
    ],
    section: '4.2.2',
    once: true,
    on: ['queue-setup', 'queue-ready-write'],
    needs: { withoutFeature: feature.ADMIN_VQ },
    broken: (fact, { device }) =>
      (fact.queue >= device.queues.length - device.description.administrationQueues ||
        (device.queues[fact.queue]?.maximumSize ?? 0) === 0) && {
        message: `Queue ${fact.queue} was set up; the device has ${device.queues.length} queues.`,
        evidence: [seen('QueueSel', fact.queue), seen('queues', device.queues.length)],
        place: registerPlace('QueueSel'),
      },
  }),
  rule('queue-setup', {
    id: 'queue.size-above-maximum',
    title: 'Driver made a queue larger than the device can',
    why: 'The device cannot hold so many entries: it refuses the value or uses another size, and both sides lay the ring out differently.',
    fix: 'Write a power of two that is not above QueueSizeMax.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.14'],
    ancestors: ['akaros.queue-num-max'],
    section: '4.2.2.2',
    on: ['queue-setup'],
    broken: (fact, { device }) => {
      const maximum = device.queues[fact.queue]?.maximumSize ?? 0;
      if (fact.field !== 'QueueSize' || maximum === 0 || fact.value <= maximum) return false;
      return {
        message: `QueueSize of queue ${fact.queue} was set to ${fact.value}, QueueSizeMax is ${maximum}.`,
        evidence: [seen('QueueSize', fact.value), seen('QueueSizeMax', maximum)],
        place: { kind: 'queue', queue: fact.queue },
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.size-not-power-of-two',
    title: 'Driver chose a queue size that is no power of two',
    why: 'Indices of a split ring run over 65536 and are reduced by the size; only powers of two wrap without a jump.',
    fix: 'Round the size down to a power of two.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.3'],
    ancestors: ['akaros.queue-num-pow2'],
    section: '2.7',
    needs: { ring: 'split' },
    on: ['queue-setup'],
    broken: (fact) =>
      fact.field === 'QueueSize' &&
      (!isPowerOfTwo(fact.value) || fact.value > maximumQueueSize) && {
        message: `QueueSize of queue ${fact.queue} was set to ${fact.value}.`,
        evidence: [seen('QueueSize', fact.value)],
        place: { kind: 'queue', queue: fact.queue },
      },
  }),
  rule('queue-setup', {
    id: 'queue.size-maximum-not-read',
    title: 'Driver chose a queue size without reading QueueSizeMax',
    why: 'The largest size differs between devices and their versions; a fixed one works only by luck.',
    fix: 'Select the queue, read QueueSizeMax, and take the smaller of it and what the driver wants.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.3.2',
    on: ['queue-setup'],
    broken: (fact, { device }) => {
      const queue = device.queues[fact.queue];
      if (fact.field !== 'QueueSize' || queue === undefined || queue.maximumRead) return false;
      return {
        message: `QueueSize of queue ${fact.queue} was set to ${fact.value}, but QueueSizeMax was not read since the reset.`,
        evidence: [seen('QueueSize', fact.value), seen('QueueSizeMax', queue.maximumSize)],
        place: { kind: 'queue', queue: fact.queue },
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.reset-not-read-back',
    title: 'Driver went on with a queue whose reset was not complete',
    why: 'A queue reset takes time. Until QueueReset reads 0 the device still has the old set-up, and what is written to the registers is lost.',
    fix: 'After writing 1 to QueueReset, read it until it is 0; only then set the queue up again or reuse its memory.',
    level: 'must',
    blames: 'access',
    covers: ['core.vq-reset.driver.1', 'mmio.registers.driver.21', 'pci.common-cfg.driver.7'],
    section: '2.6.1.1.2',
    needs: { feature: feature.RING_RESET },
    once: true,
    on: ['queue-setup', 'queue-ready-write'],
    broken: (fact, { device }) => {
      const reset = device.queues[fact.queue]?.resetUnread;
      if (reset === undefined) return false;
      return {
        message: `Queue ${fact.queue} was set up (${fact.kind === 'queue-setup' ? fact.field : 'QueueReady'}), but QueueReset did not read 0 since the queue was reset.`,
        evidence: [seen('value', hex(fact.value)), seen('reset at step', reset.step)],
        place: registerPlace('QueueReset'),
        related: reset,
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.reset-not-configured',
    title: 'Driver enabled a queue again after its reset without setting it up',
    why: 'The reset took size and addresses away. They have to be given anew, as when the device was first started, even if they stay the same.',
    fix: 'Write QueueSize and all three addresses, both halves, before the queue is enabled again.',
    level: 'must',
    blames: 'access',
    covers: ['core.vq-reenable.driver.1'],
    section: '2.6.1.2.2',
    needs: { feature: feature.RING_RESET },
    follows: ['queue.reset-not-read-back'],
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const queue = enabled(fact, at)?.queue;
      if (queue === undefined || !queue.wasReset) return false;
      const missing = Object.entries(queue.setup).flatMap(([field, value]) => (value === undefined ? [field] : []));
      return (
        missing.length !== 0 && {
          message: `Queue ${fact.queue} was enabled, but ${missing.join(', ')} ${missing.length === 1 ? 'was' : 'were'} not written since its reset.`,
          evidence: [seen('not written', missing.join(', '))],
          place: { kind: 'queue', queue: fact.queue },
        }
      );
    },
  }),
  rule('queue-setup', {
    id: 'queue.changed-while-ready',
    title: 'Driver changed a queue that is in use',
    why: 'While QueueReady is set the device works with the old size and addresses; changing them takes memory away under it.',
    fix: 'Write 0 to QueueReady and read it back as 0 before touching the size or the addresses.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.15', 'mmio.registers.driver.16'],
    ancestors: [
      'akaros.QueueDescLow-ready',
      'akaros.QueueDescHigh-ready',
      'akaros.QueueAvailLow-ready',
      'akaros.QueueAvailHigh-ready',
      'akaros.QueueUsedLow-ready',
      'akaros.QueueUsedHigh-ready',
    ],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    follows: ['queue.reset-not-read-back'],
    once: true,
    on: ['queue-setup'],
    broken: (fact) =>
      fact.ready && {
        message: `${fact.field} of queue ${fact.queue} was written with ${hex(fact.value)} while QueueReady is 1.`,
        evidence: [seen('register', fact.field), seen('value', hex(fact.value))],
        place: registerPlace(fact.field),
      },
  }),
  rule('queue-setup', {
    id: 'queue.not-configured',
    title: 'Driver enabled a queue that it had not configured',
    why: 'After a reset the size and the addresses of a queue are not defined. The device would use memory that nobody set aside.',
    fix: 'Write QueueSize and all three addresses, both halves, before QueueReady.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.3.2',
    needs: { transport: 'mmio', interface: 'modern' },
    follows: [
      'queue.size-above-maximum',
      'queue.size-not-power-of-two',
      'queue.reset-not-configured',
      'queue.reset-not-read-back',
    ],
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at)?.queue.setup;
      if (setup === undefined) return false;
      const missing = Object.entries(setup).flatMap(([field, value]) => (value === undefined ? [field] : []));
      return (
        missing.length !== 0 && {
          message: `Queue ${fact.queue} was enabled, but ${missing.join(', ')} ${missing.length === 1 ? 'was' : 'were'} not written since the reset.`,
          evidence: [seen('not written', missing.join(', '))],
          place: { kind: 'queue', queue: fact.queue },
        }
      );
    },
  }),
  rule('queue-setup', {
    id: 'queue.misaligned',
    title: 'Driver placed a part of a queue at a misaligned address',
    why: 'Descriptor table, available ring and used ring start at multiples of 16, 2 and 4 bytes; devices rely on it when they read whole entries.',
    fix: 'Align the allocation, for example to a page.',
    level: 'must',
    blames: 'access',
    covers: ['split.layout.driver.1'],
    ancestors: [
      'lguest.alignment',
      'akaros.queue-ready-vring',
      'akaros.QueueDescLow-align',
      'akaros.QueueDescHigh-align',
      'akaros.QueueAvailLow-align',
      'akaros.QueueAvailHigh-align',
      'akaros.QueueUsedLow-align',
      'akaros.QueueUsedHigh-align',
    ],
    section: '2.7.1',
    needs: { ring: 'split' },
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined) return false;
      const wrong = allAreas.filter((area) => setup.areas[area] % BigInt(areaAlignment[area]) !== 0n);
      const first = wrong[0];
      if (first === undefined) return false;
      return {
        message: `${wrong.map((area) => `The ${areaNames.split[area]} of queue ${fact.queue} is at ${hex(setup.areas[area])}, which is no multiple of ${areaAlignment[area]}`).join('. ')}.`,
        evidence: wrong.map((area) => seen(areaNames.split[area], hex(setup.areas[area]))),
        place: registerPlace(areaRegisters[first]),
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.area-outside-memory',
    title: 'Driver placed a part of a queue outside memory',
    why: 'The device reaches memory by guest-physical addresses. A virtual address, or half of one, points to nothing or to something else.',
    fix: 'Translate the address to a physical one, and write both its halves.',
    level: 'must',
    blames: 'access',
    covers: ['core.reserved-features.driver.5'],
    ancestors: ['lguest.range-desc', 'lguest.range-avail', 'lguest.range-used'],
    section: '6.1',
    follows: ['queue.not-configured', 'queue.reset-not-configured', 'legacy.page-size-not-written'],
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined) return false;
      const outside = allAreas.filter(
        (area) => !inMemory(at.memory, setup.areas[area], bytesOfArea(setup.format, area, setup.size)),
      );
      const first = outside[0];
      if (first === undefined) return false;
      return {
        message: `${outside.map((area) => `The ${areaNames[setup.format][area]} of queue ${fact.queue}, ${bytesOfArea(setup.format, area, setup.size)} bytes at ${hex(setup.areas[area])}, is not in RAM`).join('. ')}.`,
        evidence: [
          ...outside.map((area) => seen(areaNames[setup.format][area], hex(setup.areas[area]))),
          seen('RAM', `${hex(at.memory.base)} to ${hex(at.memory.base + at.memory.sizeBytes - 1)}`),
        ],
        place: registerPlace(areaRegisters[first]),
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.areas-overlap',
    title: 'Driver placed parts of a queue over each other',
    why: 'What the device writes into the used ring then changes descriptors or the available ring.',
    fix: 'Give each part its own memory. A split ring takes 16, 2 and 8 bytes for each entry, and 6 more for each of the two rings; a packed ring 16 for each descriptor, and twice 4.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.7',
    follows: unusable,
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined) return false;
      const endOf = (area: AreaName): bigint => setup.areas[area] + BigInt(bytesOfArea(setup.format, area, setup.size));
      for (const a of allAreas) {
        for (const b of allAreas.slice(allAreas.indexOf(a) + 1)) {
          if (setup.areas[a] >= endOf(b) || setup.areas[b] >= endOf(a)) continue;
          return {
            message: `The ${areaNames[setup.format][a]} and the ${areaNames[setup.format][b]} of queue ${fact.queue} share memory.`,
            evidence: [
              seen(areaNames[setup.format][a], `${hex(setup.areas[a])} to ${hex(endOf(a) - 1n)}`),
              seen(areaNames[setup.format][b], `${hex(setup.areas[b])} to ${hex(endOf(b) - 1n)}`),
            ],
            place: { kind: 'queue', queue: fact.queue },
          };
        }
      }
      return false;
    },
  }),
  rule('queue-setup', {
    id: 'queue.used-flags-not-zero',
    title: 'Driver enabled a queue whose used flags are not 0',
    why: 'Until the device writes the flags the driver reads its own leftovers: with bit 0 set it never notifies the device.',
    fix: 'Clear the memory of the used ring before QueueReady is set.',
    level: 'must',
    blames: 'access',
    covers: ['split.avail-notif-suppression.driver.1'],
    ancestors: ['lguest.used-flags-init'],
    section: '2.7.10.1',
    needs: { ring: 'split' },
    follows: unusable,
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined || !inMemory(at.memory, setup.areas.used, 4)) return false;
      const flags = at.memory.read16(Number(setup.areas.used));
      return (
        flags !== 0 && {
          message: `Used flags of queue ${fact.queue} hold ${hex(flags)} when the queue is enabled.`,
          evidence: [seen('address', hex(setup.areas.used)), seen('flags', hex(flags))],
          place: { kind: 'used', queue: fact.queue, field: 'flags' },
        }
      );
    },
  }),
  rule('queue-setup', {
    id: 'queue.index-not-zero',
    title: 'Driver enabled a queue whose indices are not 0',
    why: 'A queue starts at index 0 on both sides. What stands in memory from an earlier use makes the device see buffers that are not there, or the driver completions.',
    fix: 'Clear the memory of both rings before QueueReady is set.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.3.2',
    needs: { ring: 'split' },
    follows: [...unusable, 'queue.used-flags-not-zero'],
    on: ['queue-ready-write'],
    broken: (fact, at) => {
      const setup = enabled(fact, at);
      if (setup === undefined || (setup.queue.wasReady && !setup.queue.wasReset)) return false;
      if (!inMemory(at.memory, setup.areas.used, 4)) return false;
      const used = at.memory.read16(Number(setup.areas.used) + 2);
      return (
        used !== 0 && {
          message: `Used idx of queue ${fact.queue} is ${used} when the queue is enabled.`,
          evidence: [seen('used idx', used)],
          place: { kind: 'used', queue: fact.queue, field: 'idx' },
        }
      );
    },
  }),
  rule('queue-setup', {
    id: 'queue.ready-value',
    title: 'Driver wrote something other than 0 or 1 to QueueReady',
    why: 'Only 1 enables and only 0 stops a queue; what another value does is up to the device.',
    fix: 'Write 1 to enable the queue, 0 to stop it.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.2.2',
    needs: { transport: 'mmio', interface: 'modern' },
    on: ['queue-ready-write'],
    broken: (fact) =>
      fact.value !== 0 &&
      fact.value !== 1 && {
        message: `QueueReady of queue ${fact.queue} was written with ${hex(fact.value)}.`,
        evidence: [seen('value', hex(fact.value))],
        place: registerPlace('QueueReady'),
      },
  }),
  rule('queue-setup', {
    id: 'queue.stop-not-read-back',
    title: 'Driver did not wait for a queue to stop',
    why: 'After QueueReady was written 0 the device may still use the queue until the register reads 0.',
    fix: 'Read QueueReady back as 0 before the queue is set up again or its memory is reused.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.17'],
    section: '4.2.2.2',
    needs: { transport: 'mmio', interface: 'modern' },
    on: ['queue-setup', 'queue-ready-write'],
    broken: (fact, { device }) => {
      const stop = device.queues[fact.queue]?.stopUnread;
      if (stop === undefined || (fact.kind === 'queue-ready-write' && fact.value === 0)) return false;
      return {
        message: `Queue ${fact.queue} was set up again (${fact.kind === 'queue-setup' ? fact.field : 'QueueReady'}), but QueueReady was not read since it was written 0.`,
        evidence: [seen('value', hex(fact.value))],
        place: registerPlace('QueueReady'),
        related: stop,
      };
    },
  }),
  rule('queue-setup', {
    id: 'queue.stopped-in-flight',
    title: 'Driver stopped a queue while the device held its buffers',
    why: 'Buffers that are available may be taken back only by resetting the device: it may still be reading or writing them.',
    fix: 'Wait until every buffer is used, or reset the device, before the queue is stopped.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '3.3.1',
    on: ['queue-ready-write'],
    broken: (fact, { device }) => {
      const queue = device.queues[fact.queue];
      if (queue === undefined || fact.before === 0 || fact.value !== 0) return false;
      if ((device.handshake.status & status.DRIVER_OK) === 0) return false;
      const held = [...queue.chains.values()].filter((chain) => chain.phase !== 'used');
      const first = held[0];
      if (first === undefined) return false;
      return {
        message: `Queue ${fact.queue} was stopped with ${held.length} ${held.length === 1 ? 'buffer' : 'buffers'} at the device, the first with head ${first.chain.head}.`,
        evidence: [seen('heads', held.map((chain) => chain.chain.head).join(', '))],
        place: { kind: 'queue', queue: fact.queue },
        related: first.published,
      };
    },
  }),
];
