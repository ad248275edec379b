// The legacy header of a virtio-pci device, in I/O space behind BAR0: one row for each field. The device's configuration follows it,
// four bytes later while MSI-X is switched on. [virtio 1.4, 4.1.4.10]
import { legacyAlignment } from '../spec/split-ring';
import { fieldOf, type PciRegister, vectorField } from './pci-registers';

const section = '4.1.4.10';
const legacy = (row: PciRegister): PciRegister => ({ ...row, section });

const header: readonly PciRegister[] = [
  fieldOf(
    { offset: 0, name: 'Device Features', width: 32 },
    {},
    {
      access: 'r',
      meaning: 'the first 32 offered feature bits',
      read: ({ core }) => core.offeredWindow(0),
      readFact: ({ core }, value) => ({
        kind: 'device-features-read',
        device: core.name,
        window: 0,
        selected: true,
        value,
      }),
    },
  ),
  fieldOf(
    { offset: 4, name: 'Driver Features', width: 32 },
    {},
    {
      access: 'rw',
      meaning: 'the first 32 accepted feature bits',
      read: ({ core }) => Number(core.acceptedFeatures & 0xffff_ffffn),
      write: ({ core }, value) => core.acceptWindow(0, value),
      writeFact: ({ core }, value) => ({
        kind: 'driver-features-write',
        device: core.name,
        window: 0,
        selected: true,
        value,
        acceptedBefore: core.acceptedFeatures,
        acceptedAfter: core.acceptedAfter(0, value),
      }),
    },
  ),
  fieldOf(
    { offset: 8, name: 'Queue Address', width: 32 },
    {},
    {
      access: 'rw',
      per: 'queue',
      meaning: 'where the queue lies, in units of 4096 bytes; 0 stops it',
      read: ({ core, selectors }) => core.queues.get(selectors.queueSel)?.pageFrame ?? 0,
      write: ({ core, selectors }, value) => core.queues.writePageFrame(selectors.queueSel, value, legacyAlignment),
      readFact: ({ core, selectors: { queueSel: queue } }, value) => ({
        kind: 'queue-ready-read',
        device: core.name,
        queue,
        value: value === 0 ? 0 : 1,
      }),
      writeFact: ({ core, selectors }, value) => core.pageFrameFact(selectors.queueSel, value, legacyAlignment),
    },
  ),
  fieldOf({ offset: 12, name: 'queue_size', width: 16 }, { read: 'QueueSizeMax' }),
  fieldOf(
    { offset: 14, name: 'queue_select', width: 16 },
    { write: 'QueueSel' },
    {
      read: ({ selectors }) => selectors.queueSel,
    },
  ),
  fieldOf({ offset: 16, name: 'Queue Notify', width: 16 }, { write: 'QueueNotify' }, { read: () => 0, access: 'rw' }),
  fieldOf({ offset: 18, name: 'Device Status', width: 8 }, { read: 'Status', write: 'Status' }),
  // Reading it acknowledges, which the transport sees to.
  fieldOf({ offset: 19, name: 'ISR Status', width: 8 }, { read: 'InterruptStatus' }),
].map(legacy);

const vectors: readonly PciRegister[] = [
  vectorField({ offset: 20, name: 'config_msix_vector', width: 16 }, 'device'),
  vectorField({ offset: 22, name: 'queue_msix_vector', width: 16 }, 'queue'),
].map(legacy);

export const legacyIsrOffset = 19;

export function legacyHeader(msix: boolean): { readonly registers: readonly PciRegister[]; readonly bytes: number } {
  return msix ? { registers: [...header, ...vectors], bytes: 24 } : { registers: header, bytes: 20 };
}
