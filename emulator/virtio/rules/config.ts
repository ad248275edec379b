// Rules of the device-specific configuration space. [virtio 1.4, 2.5.1, 4.2.2.2]
import { featureName, hasFeature } from '../spec/feature';
import { byDriver, hex, seen } from './evidence';
import { type FactOf, rule, type Rule, type RuleContext } from './rule';

type Access = FactOf<'config-read'>;

/** The described field that an access touches first. */
function fieldAt(
  fact: Access,
  at: RuleContext,
): RuleContext['device']['description']['configFields'][number] | undefined {
  const { configFields } = at.device.description;
  return configFields.find(
    (field) => fact.offset < field.offset + field.size && field.offset < fact.offset + fact.size,
  );
}

const placeOf = (fact: Access): { kind: 'config'; offset: number; size: number } => ({
  kind: 'config',
  offset: fact.offset,
  size: fact.size,
});
const verbOf = (fact: Access): string => (fact.kind === 'config-read' ? 'read' : 'written');

/** Fields wider than 32 bits are accessed as two halves. */
function fits(fact: Access, field: { readonly offset: number; readonly size: number }): boolean {
  if (field.size === 8) return fact.size === 4 && (fact.offset === field.offset || fact.offset === field.offset + 4);
  return fact.size === field.size && fact.offset === field.offset;
}

const accesses = ['config-read', 'config-write'] as const;

export const configRules: readonly Rule[] = [
  rule('config', {
    id: 'config.beyond-end',
    title: 'Driver accessed the configuration space beyond its fields',
    why: 'This type of device describes nothing there. A read gives an arbitrary value.',
    fix: 'Compare the offset with the configuration structure of the device type; it starts at 0x100 of an mmio register block, and where the capability says on PCI.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.1'],
    ancestors: ['akaros.config-read-bounds', 'akaros.config-write-bounds'],
    section: '4.2.2.2',
    on: accesses,
    broken: (fact, at) => {
      const end = Math.max(0, ...at.device.description.configFields.map((field) => field.offset + field.size));
      if (fact.offset + fact.size <= end) return false;
      return {
        message: `Bytes ${hex(fact.offset)} to ${hex(fact.offset + fact.size - 1)} were ${verbOf(fact)}, the structure has ${end} bytes.`,
        evidence: [seen('offset', hex(fact.offset)), seen('bytes', fact.size), seen('structure bytes', end)],
        place: placeOf(fact),
      };
    },
  }),
  rule('config', {
    id: 'config.width',
    title: 'Driver accessed a configuration field at a wrong width',
    why: 'Each field is read and written whole, at its own width; only 64-bit fields come as two 32-bit halves. Anything else may tear a value or touch a neighbour.',
    fix: 'Use 8, 16 or 32-bit accesses as the field is declared, and two 32-bit ones for a 64-bit field.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.5', 'pci.layout.driver.1'],
    ancestors: [
      'akaros.config-read-align16',
      'akaros.config-read-align32',
      'akaros.config-read-width',
      'akaros.config-write-align16',
      'akaros.config-write-align32',
      'akaros.config-write-width',
    ],
    section: '4.2.2.2',
    needs: { interface: 'modern' },
    on: accesses,
    broken: (fact, at) => {
      const field = fieldAt(fact, at);
      if (field === undefined) return false;
      if (fact.half !== undefined) {
        return (
          fact.half === 'low' && {
            message: `64 bits at ${hex(fact.offset)} were ${verbOf(fact)} by one instruction; ${field.name} has ${field.size} bytes at ${hex(field.offset)}.`,
            evidence: [
              seen('offset', hex(fact.offset)),
              seen('bytes', 8),
              seen('field', field.name),
              seen('field bytes', field.size),
            ],
            place: { kind: 'config', offset: fact.offset, size: 8 },
          }
        );
      }
      if (fits(fact, field)) return false;
      return {
        message: `${fact.size} bytes at ${hex(fact.offset)} were ${verbOf(fact)}, but ${field.name} has ${field.size} bytes at ${hex(field.offset)}.`,
        evidence: [
          seen('offset', hex(fact.offset)),
          seen('bytes', fact.size),
          seen('field', field.name),
          seen('field bytes', field.size),
        ],
        place: placeOf(fact),
      };
    },
  }),
  rule('config', {
    id: 'config.read-only-field',
    title: 'Driver wrote a configuration field that only the device sets',
    why: 'The write has no effect, so the driver believes something that is not so.',
    fix: 'Write only fields that the device type declares writable.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.5',
    follows: ['net.config-written'],
    on: ['config-write'],
    broken: (fact, at) => {
      const field = fieldAt(fact, at);
      if (fact.kind !== 'config-write' || field === undefined || field.writable === true) return false;
      if (field.writable === 'legacy' && at.device.legacy) return false;
      return {
        message: `${hex(fact.value)} was written to ${field.name}.`,
        evidence: [seen('offset', hex(fact.offset)), seen('value', hex(fact.value))],
        place: placeOf(fact),
      };
    },
  }),
  rule('config', {
    id: 'config.gated-field',
    title: 'Driver accessed an optional configuration field without checking its feature',
    why: 'The field exists only when the device offers a feature. Without it the bytes mean nothing, and often read as 0.',
    fix: 'Read the feature window first and access the field only when the bit is offered.',
    level: 'must',
    blames: 'access',
    covers: ['core.config.driver.3'],
    section: '2.5.1',
    on: accesses,
    broken: (fact, at) => {
      const field = fieldAt(fact, at);
      if (field?.feature === undefined) return false;
      const { description, features } = at.device;
      const isOffered = hasFeature(description.offered, field.feature);
      if (isOffered && features.windowsEverRead.has(Math.floor(field.feature / 32))) return false;
      const name = featureName(description.deviceId, field.feature);
      return {
        message: isOffered
          ? `${field.name} was ${verbOf(fact)} before the feature window with ${name} had been read.`
          : `${field.name} was ${verbOf(fact)}, but ${name} is not offered.`,
        evidence: [
          seen('field', field.name),
          seen('feature bit', field.feature),
          seen('offered', hex(description.offered)),
        ],
        place: placeOf(fact),
      };
    },
  }),
  rule('config', {
    id: 'config.wide-read-unguarded',
    title: 'Driver read a 64-bit field without checking ConfigGeneration',
    why: 'The halves are read one after the other. When the device changes the field in between, the driver gets a value that never existed.',
    fix: 'Read ConfigGeneration before and after, and read again until both are equal.',
    level: 'should',
    blames: 'missing action',
    covers: ['core.config.driver.2'],
    section: '2.5.1',
    needs: { interface: 'modern' },
    on: ['status-write', 'driver-features-write', 'queue-select', 'notify'],
    broken: (_fact, at) =>
      [...at.device.config.halves].flatMap(([name, wide]) => {
        const blamed = byDriver(wide.event);
        if (wide.parts !== 3 || blamed === undefined) return [];
        return [
          {
            message: `${name} was read in two halves, and ConfigGeneration was not compared ${wide.guarded ? 'afterwards' : 'before and after'}.`,
            evidence: [seen('field', name)],
            place: { kind: 'config', offset: 'offset' in wide.event ? wide.event.offset : 0, size: 8 },
            blamed,
            related: wide.event,
          } as const,
        ];
      }),
  }),
  rule('config', {
    id: 'config.generation-ignored',
    title: 'Driver went on although the configuration had changed under it',
    why: 'ConfigGeneration differed before and after the reads: the values that were read may belong to different states of the device.',
    fix: 'Repeat the reads until ConfigGeneration gives the same value before and after.',
    level: 'must',
    blames: 'access',
    covers: ['core.config.driver.1'],
    section: '2.5.1',
    needs: { interface: 'modern' },
    on: ['status-write', 'driver-features-write', 'queue-select', 'notify'],
    broken: (fact, at) => {
      const stale = byDriver(at.device.config.staleSince);
      if (stale === undefined || stale.hart !== fact.hart) return false;
      if (fact.kind === 'status-write' && fact.value === 0) return false;
      return {
        message: 'ConfigGeneration changed during the reads, and they were not repeated.',
        evidence: [seen('ConfigGeneration', at.device.config.generation?.value ?? 0)],
        place: { kind: 'register', register: 'ConfigGeneration' },
        related: stale,
      };
    },
  }),
];
