// Watches what a driver does with an interrupt between the claim at the interrupt controller and the next claim.
// [virtio 1.4, 4.2.3.4]
import type { VirtioEvent } from '../../record/events';
import type { DeviceState } from './state';

export function watchInterrupt({ interrupt }: DeviceState, event: VirtioEvent): void {
  switch (event.kind) {
    case 'interrupt-claim':
      interrupt.claim = event;
      interrupt.serving = true;
      interrupt.readSinceClaim = undefined;
      interrupt.acknowledgedSinceClaim = false;
      return;
    case 'interrupt-status-read':
      interrupt.readSinceClaim ??= event;
      interrupt.seen |= event.value;
      if (interrupt.serving) interrupt.seenServing |= event.value;
      if (event.value !== 0) interrupt.seenBy = event;
      return;
    case 'interrupt-acknowledge':
      interrupt.acknowledgedSinceClaim = true;
      interrupt.seen &= ~event.value;
      interrupt.seenServing &= ~event.value;
      return;
    case 'interrupt-complete':
      interrupt.serving = false;
      return;
    default:
  }
}
