// Watches what only virtio-pci has: which interface of a transitional device is used, the command register, and vectors that were mapped
// and not read back. [virtio 1.4, 4.1.4.10, 4.1.5.1.2]
import type { VirtioEvent } from '../../record/events';
import type { DeviceState } from './state';

export function watchPci(state: DeviceState, event: VirtioEvent): void {
  switch (event.kind) {
    case 'register-write':
      if (state.description.transport !== 'pci-transitional') return;
      if (event.structure === 'legacy') state.legacy = true;
      else if (event.structure === 'common') state.legacy = false;
      return;
    case 'pci-command-write':
      state.pci.command = event.after;
      return;
    case 'pci-vendor-id-read':
      state.pci.vendorIdRead = true;
      return;
    case 'interrupt-line':
      state.pci.wireUp = event.level;
      return;
    case 'pci-config-write':
      noteMsix(state, event);
      return;
    case 'vector-write':
      state.pci.unreadVectors.set(event.queue, event);
      return;
    case 'vector-read':
      state.pci.unreadVectors.delete(event.queue);
      return;
    case 'status-write':
      if (event.value === 0) state.pci.unreadVectors.clear();
      return;
    default:
  }
}

/** MSI-X Enable is the last bit of the capability's first four bytes. [PCI Local Bus 3.0, 6.8.2.3] */
function noteMsix(
  state: DeviceState,
  { capability, size, value }: VirtioEvent & { readonly kind: 'pci-config-write' },
): void {
  if (capability?.id !== msixCapability || capability.at > enableByte || capability.at + size <= enableByte) return;
  state.pci.msixEnabled = ((value >>> ((enableByte - capability.at) * 8)) & 0x80) !== 0;
}
const msixCapability = 0x11;
const enableByte = 3;
