// The registers of a legacy virtio-mmio device, version 1: one row each. What equals the current layout is taken from its table, under
// the names that the legacy one has. [virtio 1.4, 4.2.4]
import { type MmioLayout, mmioLayout, type MmioRegister, mmioRegisters } from './mmio-registers';

const section = '4.2.4';

/** A register of the current layout, at the same offset and with the same effect. */
function same(name: string, legacyName = name): MmioRegister {
  const register = mmioRegisters.find((row) => row.name === name);
  if (register === undefined) throw new RangeError(`the mmio table has no register ${name}`);
  return { ...register, name: legacyName, section };
}

export const mmioLegacyVersion = 1;

export const mmioLegacyRegisters: readonly MmioRegister[] = [
  same('MagicValue'),
  { ...same('Version'), read: () => mmioLegacyVersion },
  same('DeviceID'),
  same('VendorID'),
  same('DeviceFeatures', 'HostFeatures'),
  same('DeviceFeaturesSel', 'HostFeaturesSel'),
  same('DriverFeatures', 'GuestFeatures'),
  same('DriverFeaturesSel', 'GuestFeaturesSel'),
  {
    offset: 0x028,
    name: 'GuestPageSize',
    width: 32,
    section,
    access: 'w',
    per: 'device',
    meaning: 'unit of QueuePFN in bytes',
    // Drivers write it once, before the first reset, so a reset leaves it alone.
    write: (t, value) => {
      t.guestPageBytes = value;
    },
    writeFact: ({ core }, value) => ({
      kind: 'guest-page-size-write',
      device: core.name,
      value,
      queuesInUse: core.queues.all().some(({ ready }) => ready),
    }),
  },
  same('QueueSel'),
  same('QueueSizeMax', 'QueueNumMax'),
  same('QueueSize', 'QueueNum'),
  {
    offset: 0x03c,
    name: 'QueueAlign',
    width: 32,
    section,
    access: 'w',
    per: 'queue',
    meaning: 'alignment of the used ring in bytes',
    write: ({ core, selectors }, value) => core.queues.writeAlignment(selectors.queueSel, value),
    writeFact: ({ core, selectors: { queueSel: queue } }, value) => ({
      kind: 'queue-align-write',
      device: core.name,
      queue,
      value,
      ready: core.queueReady(queue),
    }),
  },
  {
    offset: 0x040,
    name: 'QueuePFN',
    width: 32,
    section,
    access: 'rw',
    per: 'queue',
    meaning: 'where the queue lies, in units of GuestPageSize; 0 stops it',
    read: ({ core, selectors }) => core.queues.get(selectors.queueSel)?.pageFrame ?? 0,
    write: ({ core, selectors, guestPageBytes }, value) =>
      core.queues.writePageFrame(selectors.queueSel, value, guestPageBytes),
    readFact: ({ core, selectors: { queueSel: queue } }, value) => ({
      kind: 'queue-ready-read',
      device: core.name,
      queue,
      value: value === 0 ? 0 : 1,
    }),
    writeFact: ({ core, selectors: { queueSel }, guestPageBytes }, value) =>
      core.pageFrameFact(queueSel, value, guestPageBytes),
  },
  same('QueueNotify'),
  same('InterruptStatus'),
  same('InterruptACK'),
  same('Status'),
];

export const mmioLegacyLayout: MmioLayout = mmioLayout(mmioLegacyRegisters);
