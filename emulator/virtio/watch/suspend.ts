// Watches how a driver suspends its device and resumes it, and what it has made sure of by reading Status. [virtio 1.4, 3.4]
import type { VirtioEvent } from '../../record/events';
import type { DriverEvent } from '../rules/rule';
import { feature, hasFeature } from '../spec/feature';
import { status } from '../spec/status';
import type { DeviceState } from './state';

export interface SuspendState {
  /** The write of SUSPEND; undefined while the driver has no wish to suspend the device. */
  asked: DriverEvent | undefined;
  /** A read of Status showed SUSPEND and no DRIVER_OK since then. */
  verified: boolean;
  /** The write of DRIVER_OK to the suspended device, until a read of Status shows that it runs. */
  resuming: DriverEvent | undefined;
}

export function freshSuspend(): SuspendState {
  return { asked: undefined, verified: false, resuming: undefined };
}

export function watchSuspend(state: DeviceState, event: VirtioEvent): void {
  switch (event.kind) {
    case 'suspended':
    case 'resumed': {
      const { SUSPEND, DRIVER_OK } = status;
      const now = state.handshake.status & ~(SUSPEND | DRIVER_OK);
      state.handshake.status = now | (event.kind === 'suspended' ? SUSPEND : DRIVER_OK);
      return;
    }
    case 'status-write':
      noteWrite(state, event);
      return;
    case 'status-read':
      noteRead(state, event.value);
      return;
    default:
  }
}

function noteWrite(state: DeviceState, event: DriverEvent & { readonly kind: 'status-write' }): void {
  const { before, value } = event;
  if (value === 0 || !hasFeature(state.features.accepted, feature.SUSPEND)) return;
  if ((before & status.SUSPEND) !== 0) {
    if ((value & status.DRIVER_OK) !== 0 && state.suspend.resuming === undefined) state.suspend.resuming = event;
  } else if ((before & status.DRIVER_OK) !== 0 && (value & status.SUSPEND) !== 0) {
    state.suspend.asked ??= event;
  }
}

function noteRead({ suspend }: DeviceState, value: number): void {
  const shown = value & (status.SUSPEND | status.DRIVER_OK);
  if (shown === status.SUSPEND) suspend.verified = true;
  const isRunning = shown === status.DRIVER_OK && suspend.resuming !== undefined;
  if (isRunning || (value & status.DEVICE_NEEDS_RESET) !== 0) Object.assign(suspend, freshSuspend());
}
