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
