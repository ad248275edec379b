// Rules of finding a device and of leaving an empty slot alone. [virtio 1.4, 4.2.2.2, 4.2.3.1.1]
import { hex, registerPlace, seen } from './evidence';
import { type FactOf, rule, type Rule } from './rule';

type Access = FactOf<'register-read' | 'register-write' | 'config-read' | 'config-write'>;

const identity: readonly (string | undefined)[] = ['MagicValue', 'Version', 'DeviceID'];

function nameOf(fact: Access): string {
  if ('register' in fact) return fact.register ?? `offset ${hex(fact.offset)}`;
  return `configuration field ${fact.field ?? hex(fact.offset)}`;
}

function probes(fact: Access, ...names: readonly string[]): boolean {
  return fact.kind === 'register-read' && names.some((name) => 'register' in fact && fact.register === name);
}

const accesses = ['register-read', 'register-write', 'config-read', 'config-write'] as const;

export const discoveryRules: readonly Rule[] = [
  rule('handshake', {
    id: 'init.not-identified',
    title: 'Driver did not begin with MagicValue and Version',
    why: 'These two registers say whether there is a virtio device and which interface it has. Whoever starts elsewhere may be talking to something else, or to the legacy interface.',
    fix: 'Read MagicValue (0x74726976) and Version (2) first, and leave the slot alone when either differs.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.init.driver.1'],
    section: '4.2.3.1.1',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact, { device }) => {
      if (probes(fact, 'MagicValue', 'Version') || device.identity.usedOtherwise) return false;
      if (device.identity.magicRead && device.identity.versionRead) return false;
      const missing = [device.identity.magicRead ? [] : ['MagicValue'], device.identity.versionRead ? [] : ['Version']];
      return {
        message: `${nameOf(fact)} was accessed before ${missing.flat().join(' and ')} had been read.`,
        evidence: [seen('offset', hex(fact.offset))],
        place: registerPlace(missing.flat()[0] ?? 'MagicValue'),
      };
    },
  }),
  rule('handshake', {
    id: 'init.device-id-not-read',
    title: 'Driver did not read DeviceID',
    why: 'A slot may be empty: DeviceID is then 0 and nothing else may be touched. Only DeviceID tells which kind of device this is.',
    fix: 'After MagicValue and Version read DeviceID, and stop when it is 0 or not the kind that the driver serves.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.init.driver.2'],
    section: '4.2.3.1.1',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact, { device: { identity: id } }) =>
      !probes(fact, 'MagicValue', 'Version', 'DeviceID', 'VendorID') &&
      id.magicRead &&
      id.versionRead &&
      !id.deviceIdRead &&
      !id.usedBeforeDeviceId &&
      !id.usedOtherwise && {
        message: `${nameOf(fact)} was accessed before DeviceID had been read.`,
        evidence: [seen('offset', hex(fact.offset))],
        place: registerPlace('DeviceID'),
      },
  }),
  rule('handshake', {
    id: 'init.placeholder-used',
    title: 'Driver used a slot without a device',
    why: 'DeviceID 0 marks a placeholder: system software reserved the slot, but there is no device to talk to.',
    fix: 'Leave the slot silently when DeviceID reads as 0.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.init.driver.3', 'mmio.init.driver.4', 'mmio.registers.driver.10'],
    ancestors: ['akaros.placeholder-read', 'akaros.placeholder-write'],
    section: '4.2.3.1.1',
    needs: { transport: 'mmio' },
    once: true,
    on: accesses,
    broken: (fact, { device }) =>
      device.identity.deviceId === 0 &&
      !(fact.kind === 'register-read' && 'register' in fact && identity.includes(fact.register)) && {
        message: `${nameOf(fact)} was accessed although DeviceID had read as 0.`,
        evidence: [seen('offset', hex(fact.offset)), seen('DeviceID', '0')],
        place: registerPlace('DeviceID'),
      },
  }),
];
