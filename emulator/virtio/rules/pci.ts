// Rules of virtio-pci: capabilities, the width and direction of fields, set-up of queues, notification addresses, vectors.
// [virtio 1.4, 4.1]
import { feature, hasFeature } from '../spec/feature';
import { status } from '../spec/status';
import { byDriver, hex, interruptPlace, registerPlace, seen, statusPlace } from './evidence';
import { type FactOf, type Finding, type Needs, rule, type Rule } from './rule';

type Access = FactOf<'register-read' | 'register-write'>;

const pci: Needs = { transport: 'pci' };
const modern: Needs = { transport: 'pci', interface: 'modern' };
const accesses = ['register-read', 'register-write'] as const;
/** "No vector". [4.1.5.1.2] */
const noVector = 0xffff;
const busMaster = 4;
/** Virtual time after a claim in which a guest that waits would have served every device on the wire. */
const servedWithinNanoseconds = 10_000_000;
/** cfg_type of capabilities. [4.1.4] */
const cfgType = { window: 5, vendor: 9 } as const;
/** Parts of the window capability that a driver writes: bar, then offset, length and data. [4.1.4.9] */
const isWindowField = (at: number): boolean => at === 4 || (at >= 8 && at < 20);

function accessFinding(fact: Access, problem: string): Finding {
  const verb = fact.kind === 'register-read' ? 'read' : 'written';
  return {
    message: `${fact.register ?? `Offset ${hex(fact.offset)}`} was ${verb} with ${fact.size} ${fact.size === 1 ? 'byte' : 'bytes'}: ${problem}.`,
    evidence: [
      seen('structure', fact.structure ?? 'none'),
      seen('offset', hex(fact.offset)),
      seen('bytes', fact.size),
      ...(fact.kind === 'register-write' ? [seen('value', hex(fact.value))] : []),
    ],
    place: registerPlace(fact.register ?? hex(fact.offset)),
  };
}

/** Vectors have to be right for whatever is switched on now. */
function unreadFinding(fact: FactOf<'queue-ready-write' | 'status-write'>, written: FactOf<'vector-write'>): Finding {
  const event = written.queue === undefined ? 'configuration changes' : `queue ${written.queue}`;
  return {
    message: `${fact.kind === 'status-write' ? 'DRIVER_OK was set' : `Queue ${fact.queue} was enabled`}, but the vector of ${event} was not read back since ${hex(written.value)} was written to it.`,
    evidence: [seen('vector written', hex(written.value)), seen('reads as', hex(written.after))],
    place: registerPlace(written.queue === undefined ? 'config_msix_vector' : 'queue_msix_vector'),
    queue: written.queue,
  };
}

export const pciRules: readonly Rule[] = [
  rule('register', {
    id: 'pci.field-width',
    title: 'Driver accessed a PCI field at a width that is not its own',
    why: 'Each field answers at its own width only. A wider access touches its neighbours, a narrower one tears it, and devices in hardware may drop both.',
    fix: 'Use 8, 16 or 32-bit accesses as the field is declared, and two 32-bit ones for queue_desc, queue_driver and queue_device.',
    level: 'must',
    blames: 'access',
    covers: ['pci.layout.driver.1'],
    ancestors: ['lguest.isr-width', 'lguest.natural-width'],
    section: '4.1.3.1',
    needs: modern,
    on: accesses,
    broken: (fact) =>
      fact.defect === 'width' &&
      fact.structure !== 'notify' &&
      fact.structure !== 'legacy' &&
      accessFinding(fact, 'the field has another width or begins elsewhere'),
  }),
  rule('register', {
    id: 'pci.read-only-field-written',
    title: 'Driver wrote a PCI field that only the device sets',
    why: 'The write has no effect, so the driver believes something that is not so. Often a neighbouring field was meant.',
    fix: 'Compare the offset with the structure: device_feature, num_queues, config_generation and queue_notify_off can only be read.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.1'],
    ancestors: ['lguest.queue-notify-off-write'],
    section: '4.1.4.3.2',
    needs: pci,
    on: ['register-write'],
    broken: (fact) => fact.defect === 'read-only' && accessFinding(fact, 'the field can only be read'),
  }),
  rule('register', {
    id: 'pci.undefined-location',
    title: 'Driver accessed a place of a PCI device that no capability names',
    why: 'Nothing is defined there. Usually the offset of a capability was left out, or the structures were taken to stand where another device has them.',
    fix: 'Add the offset of the capability to the address of its base address register, and stay within its length.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    ancestors: ['lguest.write-offset', 'lguest.read-past-end'],
    section: '4.1.4.1',
    needs: pci,
    on: accesses,
    broken: (fact) =>
      fact.defect === 'no-register' && fact.structure !== 'reserved' && accessFinding(fact, 'there is nothing'),
  }),
  rule('register', {
    id: 'pci.reserved-capability-used',
    title: 'Driver used a structure whose type is reserved',
    why: 'A capability with a cfg_type that the driver does not know may point to anything, for example to what a later version defines.',
    fix: 'Pass over every capability whose cfg_type is none of those that the driver implements.',
    level: 'must',
    blames: 'access',
    covers: ['pci.caps.driver.1'],
    section: '4.1.4.1',
    needs: pci,
    once: true,
    on: accesses,
    broken: (fact) => fact.structure === 'reserved' && accessFinding(fact, 'the capability that names it is reserved'),
  }),
  rule('register', {
    id: 'pci.later-structure-used',
    title: 'Driver did not use the first structure of a type',
    why: 'The device lists its structures in the order in which it prefers them; a later one may be slower.',
    fix: 'Take the first capability of each type that can be mapped, and stop looking.',
    level: 'should',
    blames: 'access',
    covers: ['pci.caps.driver.2'],
    section: '4.1.4.1',
    needs: pci,
    once: true,
    on: accesses,
    broken: (fact) =>
      (fact.instance ?? 0) > 0 && accessFinding(fact, `it stands in structure number ${(fact.instance ?? 0) + 1}`),
  }),
  rule('register', {
    id: 'pci.capability-written',
    title: 'Driver wrote into a virtio capability',
    why: 'The capabilities say where things are. Only those of the access window in configuration space can be written.',
    fix: 'Read the capability; to change anything write the structure that it points to.',
    level: 'must',
    blames: 'access',
    covers: ['pci.caps.driver.8'],
    section: '4.1.4.1',
    needs: pci,
    on: ['pci-config-write'],
    broken: ({ capability, value, offset, field }) => {
      if (capability?.cfgType === undefined || capability.cfgType === cfgType.vendor) return false;
      if (capability.cfgType === cfgType.window && isWindowField(capability.at)) return false;
      return {
        message: `${hex(value)} was written to ${field ?? hex(offset)}.`,
        evidence: [
          seen('offset', hex(offset)),
          seen('value', hex(value)),
          seen('cfg_type', capability.cfgType),
          seen('bytes into the capability', capability.at),
        ],
        place: registerPlace(field ?? hex(offset)),
      };
    },
  }),
  rule('register', {
    id: 'pci.vendor-data-unqualified',
    title: 'Driver wrote vendor data without looking whose they are',
    why: 'What the data mean is up to the vendor that the capability names. Another vendor’s device takes the write for something else.',
    fix: 'Read vendor_id of the capability first and leave the data alone when it is not the expected one.',
    level: 'must',
    blames: 'access',
    covers: ['pci.vendor-cap.driver.2'],
    section: '4.1.4.8.2',
    needs: pci,
    on: ['pci-config-write'],
    broken: ({ capability, value, offset }, { device }) =>
      capability?.cfgType === cfgType.vendor &&
      !device.pci.vendorIdRead && {
        message: `${hex(value)} was written ${capability.at} bytes into the vendor capability, whose vendor_id was not read.`,
        evidence: [seen('offset', hex(offset)), seen('value', hex(value))],
        place: registerPlace('vendor_id'),
      },
  }),
  rule('register', {
    id: 'pci.window-misaligned',
    title: 'Driver opened the access window at a misaligned offset',
    why: 'Accesses through configuration space have to be aligned like all others; a misaligned one does not happen.',
    fix: 'Write a multiple of cap.length, which is 1, 2 or 4, to cap.offset.',
    level: 'must',
    blames: 'access',
    covers: ['pci.cfg-access-cap.driver.1'],
    section: '4.1.4.9.2',
    needs: pci,
    on: ['pci-window-access'],
    broken: ({ bar, offset, length }) =>
      (![1, 2, 4].includes(length) || offset % length !== 0) && {
        message: `pci_cfg_data was accessed with cap.offset ${hex(offset)} and cap.length ${length}.`,
        evidence: [seen('cap.bar', bar), seen('cap.offset', hex(offset)), seen('cap.length', length)],
        place: registerPlace('pci_cfg_data'),
      },
  }),
  rule('register', {
    id: 'pci.window-outside',
    title: 'Driver opened the access window where no structure is',
    why: 'The window leads to the structures that the other capabilities name. Elsewhere nothing is defined.',
    fix: 'Take bar and offset from a capability of another type, and stay within its length.',
    level: 'must',
    blames: 'access',
    covers: ['pci.cfg-access-cap.driver.3'],
    section: '4.1.4.9.2',
    needs: pci,
    follows: ['pci.window-misaligned'],
    on: ['pci-window-access'],
    broken: ({ bar, offset, length, inside }) =>
      !inside && {
        message: `pci_cfg_data was accessed with cap.bar ${bar}, cap.offset ${hex(offset)} and cap.length ${length}.`,
        evidence: [seen('cap.bar', bar), seen('cap.offset', hex(offset)), seen('cap.length', length)],
        place: registerPlace('pci_cfg_data'),
      },
  }),
  rule('handshake', {
    id: 'pci.bus-master-off',
    title: 'Driver started a PCI device that may not reach memory',
    why: 'Without Bus Master Enable in the command register the device can neither read descriptors nor write used entries: it stays silent.',
    fix: 'Set bit 2 of the PCI command register before DRIVER_OK.',
    level: 'hazard',
    blames: 'access',
    covers: [],
    section: '4.1.3.1',
    needs: pci,
    once: true,
    on: ['status-write', 'notify'],
    broken: (fact, { device }) => {
      if ((device.pci.command & busMaster) !== 0) return false;
      if (fact.kind === 'status-write' && (fact.value & ~fact.before & status.DRIVER_OK) === 0) return false;
      return {
        message: `${fact.kind === 'notify' ? `Queue ${fact.queue} was notified` : 'DRIVER_OK was set'} while the PCI command register holds ${hex(device.pci.command)}.`,
        evidence: [seen('command', hex(device.pci.command))],
        place: fact.kind === 'notify' ? registerPlace('Command') : statusPlace,
      };
    },
  }),
  rule('handshake', {
    id: 'pci.reset-not-read-back',
    title: 'Driver did not wait for a PCI device to finish its reset',
    why: 'Until device_status reads 0 the device may still use its queues and may lose what is written.',
    fix: 'After writing 0 read device_status until it gives 0.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.5'],
    section: '4.1.4.3.2',
    needs: modern,
    on: ['status-write', 'driver-features-write', 'queue-setup', 'queue-ready-write'],
    broken: (fact, { device: { handshake } }) =>
      handshake.reset !== undefined &&
      !handshake.resetReadBack &&
      !handshake.resetUsed &&
      fact.value !== 0 && {
        message: `The device was set up (${fact.kind}) although device_status had not been read as 0 since the reset.`,
        evidence: [seen('value', hex(fact.value))],
        place: statusPlace,
        related: handshake.reset,
      },
  }),
  rule('queue-setup', {
    id: 'pci.queue-enable-value',
    title: 'Driver wrote something other than 1 to queue_enable',
    why: 'On PCI a queue is only ever switched on here. Stopping it takes a reset, of the queue or of the device.',
    fix: 'Write 1 to queue_enable once, when everything else about the queue is set.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.6'],
    ancestors: ['lguest.queue-enable-value'],
    section: '4.1.4.3.2',
    needs: modern,
    on: ['queue-ready-write'],
    broken: (fact) =>
      fact.value !== 1 && {
        message: `queue_enable of queue ${fact.queue} was written with ${hex(fact.value)}.`,
        evidence: [seen('value', hex(fact.value)), seen('before', fact.before)],
        place: registerPlace('queue_enable'),
      },
  }),
  rule('queue-setup', {
    id: 'pci.queue-not-configured',
    title: 'Driver enabled a PCI queue before it had configured it',
    why: 'The device starts to use the queue at once, at whatever addresses it has then.',
    fix: 'Write queue_size, queue_desc, queue_driver and queue_device before queue_enable.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.4'],
    ancestors: ['lguest.queue-config-before-enable'],
    section: '4.1.4.3.2',
    needs: modern,
    on: ['queue-ready-write'],
    broken: (fact, { device }) => {
      const queue = device.queues[fact.queue];
      if (queue === undefined || fact.before !== 0 || fact.value !== 1) return false;
      const { QueueDescLow, QueueDriverLow, QueueDeviceLow } = queue.setup;
      const missing = [
        ...(QueueDescLow === undefined ? ['queue_desc'] : []),
        ...(QueueDriverLow === undefined ? ['queue_driver'] : []),
        ...(QueueDeviceLow === undefined ? ['queue_device'] : []),
      ];
      return (
        missing.length > 0 && {
          message: `Queue ${fact.queue} was enabled, but ${missing.join(', ')} ${missing.length === 1 ? 'was' : 'were'} not written since the reset.`,
          evidence: [seen('not written', missing.join(', '))],
          place: { kind: 'queue', queue: fact.queue },
        }
      );
    },
  }),
  rule('queue-setup', {
    id: 'pci.queue-changed-while-enabled',
    title: 'Driver changed a PCI queue that is enabled',
    why: 'The device works with the queue as it was when it was enabled; the new size or address is lost, and both sides use different memory.',
    fix: 'Finish the set-up before queue_enable; to change a queue reset it or the device.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.4'],
    ancestors: ['lguest.queue-addr-live'],
    section: '4.1.4.3.2',
    needs: modern,
    once: true,
    on: ['queue-setup'],
    broken: (fact) =>
      fact.ready && {
        message: `${fact.field} of queue ${fact.queue} was written with ${hex(fact.value)} while queue_enable is 1.`,
        evidence: [seen('field', fact.field), seen('value', hex(fact.value))],
        place: registerPlace(fact.field),
      },
  }),
  rule('queue-setup', {
    id: 'pci.packed-queue-size-zero',
    title: 'Driver gave a packed queue no entries',
    why: 'A queue of size 0 cannot hold a buffer; only the device says with 0 that a queue does not exist.',
    fix: 'Write a size from 1 to the largest that queue_size showed, or leave the queue alone.',
    level: 'must',
    blames: 'access',
    covers: ['pci.common-cfg.driver.2'],
    section: '4.1.4.3.2',
    needs: { ...modern, ring: 'packed' },
    on: ['queue-setup'],
    broken: (fact) =>
      fact.field === 'QueueSize' &&
      fact.value === 0 && {
        message: `queue_size of queue ${fact.queue} was written with 0.`,
        evidence: [seen('value', '0')],
        place: { kind: 'queue', queue: fact.queue },
      },
  }),
  rule('interrupt', {
    id: 'pci.vector-out-of-range',
    title: 'Driver mapped an event to a vector that does not exist',
    why: 'The device has as many vectors as its MSI-X table has entries. A mapping beyond it fails, and the event interrupts nobody.',
    fix: 'Use vectors below the Table Size of the MSI-X capability, or NO_VECTOR (0xffff).',
    level: 'must',
    blames: 'access',
    covers: ['pci.msix.driver.4'],
    ancestors: ['lguest.queue-msix-write'],
    section: '4.1.5.1.2.2',
    needs: pci,
    on: ['vector-write'],
    broken: (fact) =>
      fact.value !== noVector &&
      fact.value >= fact.vectors && {
        message: `Vector ${hex(fact.value)} was mapped; the device has ${fact.vectors}.`,
        evidence: [seen('vector', hex(fact.value)), seen('vectors', fact.vectors)],
        place: registerPlace(fact.queue === undefined ? 'config_msix_vector' : 'queue_msix_vector'),
      },
  }),
  rule('interrupt', {
    id: 'pci.vector-not-read-back',
    title: 'Driver did not check whether a vector was mapped',
    why: 'A mapping may fail; the field then reads as NO_VECTOR, and the driver waits for an interrupt that never comes.',
    fix: 'Read the vector back after writing it, and fall back to fewer vectors when it is NO_VECTOR.',
    level: 'must',
    blames: 'access',
    covers: ['pci.msix.driver.5'],
    section: '4.1.5.1.2.2',
    needs: pci,
    follows: ['pci.vector-out-of-range'],
    once: true,
    on: ['queue-ready-write', 'status-write'],
    broken: (fact, { device }) => {
      const { unreadVectors } = device.pci;
      if (fact.kind === 'queue-ready-write') {
        const own = unreadVectors.get(fact.queue);
        return (
          fact.value !== 0 &&
          own !== undefined &&
          own.value !== noVector && { ...unreadFinding(fact, own), related: own }
        );
      }
      if ((fact.value & ~fact.before & status.DRIVER_OK) === 0) return false;
      const first = [...unreadVectors.values()].find((one) => one.value !== noVector);
      return first !== undefined && { ...unreadFinding(fact, first), related: first };
    },
  }),
  rule('interrupt', {
    id: 'pci.isr-read-with-msix',
    title: 'Driver read the ISR status although MSI-X is on',
    why: 'With MSI-X the vector says what happened; the ISR status is not set for queues, and reading it costs an exit.',
    fix: 'Let the handler of a vector serve its queue or the configuration, without reading the ISR status.',
    level: 'should',
    blames: 'access',
    covers: ['pci.isr.driver.1'],
    section: '4.1.4.5.2',
    needs: pci,
    once: true,
    on: ['interrupt-status-read'],
    broken: (fact, { device }) =>
      device.pci.msixEnabled && {
        message: `The ISR status was read as ${hex(fact.value)} while MSI-X is switched on.`,
        evidence: [seen('ISR status', hex(fact.value))],
        place: interruptPlace,
      },
  }),
  rule('interrupt', {
    id: 'pci.isr-not-read',
    title: 'Driver does not read the ISR status of a device that interrupts',
    why: 'Reading it is what takes the interrupt wire down. Without it the wire stays up, and the controller hears of no further event of any device on it.',
    fix: 'In the handler read the ISR status of each device on the wire, and serve what it says.',
    level: 'hazard',
    blames: 'missing action',
    covers: [],
    section: '4.1.4.5.2',
    needs: pci,
    once: true,
    on: ['idle'],
    broken: (_fact, { device: { pci: known, interrupt, lastAccess }, virtualNanoseconds }) => {
      const { claim, serving, readSinceClaim } = interrupt;
      if (!known.wireUp || serving || claim === undefined || readSinceClaim !== undefined) return false;
      if (virtualNanoseconds - claim.virtualNanoseconds < servedWithinNanoseconds) return false;
      return {
        message: 'The interrupt was claimed and completed, its ISR status was not read, and the wire is still up.',
        evidence: [seen('claimed at step', claim.step)],
        place: interruptPlace,
        blamed: byDriver(lastAccess),
        related: claim,
      };
    },
  }),
  rule('notification', {
    id: 'pci.notify-width',
    title: 'Driver notified with a store of the wrong width',
    why: 'The notification address takes 16 bits, or 32 with VIRTIO_F_NOTIFICATION_DATA. Devices in hardware, and host programs that look at the address and the width, miss others.',
    fix: 'Use a 16-bit store, or a 32-bit one when VIRTIO_F_NOTIFICATION_DATA is negotiated.',
    level: 'must',
    blames: 'access',
    covers: ['pci.avail-notify.driver.1', 'pci.avail-notify.driver.2'],
    section: '4.1.5.2.1',
    needs: pci,
    on: ['register-write'],
    broken: (fact, { device }) => {
      const size = hasFeature(device.features.accepted, feature.NOTIFICATION_DATA) ? 4 : 2;
      return (
        fact.structure === 'notify' &&
        fact.size !== size &&
        accessFinding(fact, `a notification of this driver has ${size * 8} bits`)
      );
    },
  }),
  rule('notification', {
    id: 'pci.notify-value',
    title: 'Driver notified with a value that is not the queue',
    why: 'The low 16 bits of the value are the index of the queue, and without VIRTIO_F_NOTIFICATION_DATA there are no others. Where several queues share an address they are all that tells them apart.',
    fix: 'Write the index of the queue to the address that its queue_notify_off gives.',
    level: 'must',
    blames: 'access',
    covers: ['pci.avail-notify.driver.3', 'pci.avail-notify.driver.4'],
    section: '4.1.5.2.1',
    needs: { ...pci, withoutFeature: feature.NOTIF_CONFIG_DATA },
    on: ['notify'],
    broken: (fact) =>
      (fact.data === undefined ? fact.value : fact.value & 0xffff) !== fact.queue && {
        message: `${hex(fact.value)} was written to the notification address of queue ${fact.queue}.`,
        evidence: [seen('value', hex(fact.value)), seen('queue of the address', fact.queue)],
        place: registerPlace('Queue Notify'),
      },
  }),
  rule('notification', {
    id: 'pci.notify-config-value',
    title: 'Driver notified with another value than queue_notif_config_data',
    why: 'With VIRTIO_F_NOTIF_CONFIG_DATA the device chooses the value by which it knows the queue. It may be an offset or a number inside the device, so anything else finds another queue or none.',
    fix: 'Read queue_notif_config_data once for each queue, after FEATURES_OK, and write it to the notification address in place of the queue index.',
    level: 'must',
    blames: 'access',
    covers: ['pci.avail-notify.driver.5', 'pci.avail-notify.driver.6'],
    section: '4.1.5.2.1',
    needs: { ...pci, feature: feature.NOTIF_CONFIG_DATA },
    on: ['notify'],
    broken: (fact) => {
      const { value, data, configData } = fact;
      const written = data === undefined ? value : value & 0xffff;
      if (written === configData) return false;
      const whose = configData === undefined ? 'no queue that is notified there has' : `queue ${fact.queue} has`;
      const wanted = configData === undefined ? '' : `; it has ${hex(configData)}`;
      return {
        message: `${hex(value)} was written to the notification address, which ${whose} not as queue_notif_config_data${wanted}.`,
        evidence: [
          seen('value', hex(value)),
          ...(configData === undefined ? [] : [seen('queue_notif_config_data', hex(configData))]),
        ],
        place: registerPlace('Queue Notify'),
      };
    },
  }),
];
