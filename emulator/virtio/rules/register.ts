// Rules of accessing the mmio registers: place, width and direction. [virtio 1.4, 4.2.2.2, 4.2.3.1.1]
import { deviceId } from '../spec/device-id';
import { feature } from '../spec/feature';
import { hex, registerPlace, seen } from './evidence';
import { type FactOf, type Finding, rule, type Rule } from './rule';

type Access = FactOf<'register-read' | 'register-write'>;

function defective(fact: Access, defect: NonNullable<Access['defect']>, problem: string): false | Finding {
  if (fact.defect !== defect) return false;
  const verb = fact.kind === 'register-read' ? 'read' : 'written';
  return {
    message: `${fact.register ?? `Offset ${hex(fact.offset)}`} was ${verb} with ${fact.size} bytes: ${problem}.`,
    evidence: [
      seen('offset', hex(fact.offset)),
      seen('bytes', fact.size),
      ...(fact.kind === 'register-write' ? [seen('value', hex(fact.value))] : []),
    ],
    place: registerPlace(fact.register ?? hex(fact.offset)),
  };
}

const accesses = ['register-read', 'register-write'] as const;
/** Device types that have no shared memory regions. [virtio 1.4, 5] */
const withoutSharedMemory: readonly number[] = [deviceId.net, deviceId.block, deviceId.console, deviceId.entropy];

export const registerRules: readonly Rule[] = [
  rule('register', {
    id: 'register.undefined',
    title: 'Driver accessed an offset that is no register',
    why: 'Nothing is defined there: a read gives an arbitrary value, a write may mean something in another version. Usually an offset constant is wrong.',
    fix: 'Compare the offset with the register table of the transport.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.1'],
    ancestors: ['akaros.read-invalid', 'akaros.write-invalid'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact) => defective(fact, 'no-register', 'there is no register'),
  }),
  rule('register', {
    id: 'register.read-only-written',
    title: 'Driver wrote a read-only register',
    why: 'The write has no effect, so the driver believes something that is not so. Often a neighbouring register was meant.',
    fix: 'Write the register that takes the value, for example DriverFeatures instead of DeviceFeatures.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.2'],
    ancestors: ['akaros.write-read-only'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact) => defective(fact, 'read-only', 'the register can only be read'),
  }),
  rule('register', {
    id: 'register.write-only-read',
    title: 'Driver read a write-only register',
    why: 'What such a read gives is not defined; it does not tell what was written.',
    fix: 'Keep a copy of the value in the driver.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.3'],
    ancestors: ['akaros.read-write-only'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact) => defective(fact, 'write-only', 'the register can only be written'),
  }),
  rule('register', {
    id: 'register.width',
    title: 'Driver accessed a control register at a wrong width',
    why: 'Control registers answer only to aligned 32-bit accesses. A narrower or wider one may be split, dropped or reach the next register.',
    fix: 'Use an aligned 32-bit volatile access; write the halves of 64-bit addresses one after the other.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.4'],
    ancestors: ['akaros.ctrl-read-width', 'akaros.ctrl-write-width'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    on: accesses,
    broken: (fact) => defective(fact, 'width', 'control registers are 32 bits wide'),
  }),
  rule('register', {
    id: 'register.shared-memory',
    title: 'Driver used the shared memory registers of a device without shared memory',
    why: 'This type of device defines no shared memory regions, so the registers say nothing.',
    fix: 'Use SHMSel, SHMLen and SHMBase only for device types that have shared memory regions.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.init.driver.5'],
    section: '4.2.3.1.1',
    needs: { transport: 'mmio' },
    once: true,
    on: ['shared-memory-access'],
    broken: (fact, { device }) =>
      device.description.sharedMemory === 0 &&
      withoutSharedMemory.includes(device.description.deviceId) && {
        message: `${fact.register} was accessed.`,
        evidence: [seen('register', fact.register), seen('DeviceID', device.description.deviceId)],
        place: registerPlace(fact.register),
      },
  }),
  rule('register', {
    id: 'register.queue-reset-not-negotiated',
    title: 'Driver reset a queue without VIRTIO_F_RING_RESET',
    why: 'QueueReset works only when the feature was negotiated; otherwise the queue goes on, although the driver thinks it stopped.',
    fix: 'Negotiate VIRTIO_F_RING_RESET, or reset the whole device.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '2.6.1.1.2',
    needs: { withoutFeature: feature.RING_RESET },
    on: ['queue-reset-write'],
    broken: (fact) =>
      fact.kind === 'queue-reset-write' && {
        message: `QueueReset of queue ${fact.queue} was written with ${hex(fact.value)}.`,
        evidence: [seen('value', hex(fact.value))],
        place: registerPlace('QueueReset'),
      },
  }),
];
