// Watches device discovery, the status bits and the laps between resets. [virtio 1.4, 2.1, 3.1.1, 4.2.3.1.1]
import type { VirtioEvent } from '../../record/events';
import { dialects } from '../spec/dialect';
import { status } from '../spec/status';
import { startLap } from './fresh';
import type { DeviceState } from './state';

export function watchHandshake(state: DeviceState, event: VirtioEvent): void {
  switch (event.kind) {
    case 'identity-read':
      noteIdentity(state, event);
      return;
    case 'status-read':
      noteOtherAccess(state);
      state.handshake.status = event.value;
      if (event.value === 0) state.handshake.resetReadBack = true;
      if (state.handshake.featuresOkUnread && (event.value & status.FEATURES_OK) === 0) {
        state.handshake.featuresRefusedSeen = event;
      }
      state.handshake.featuresOkUnread = false;
      state.handshake.refused = (state.handshake.refused | state.handshake.unread) & ~event.value;
      state.handshake.unread = 0;
      return;
    case 'status-write':
      noteOtherAccess(state);
      if (event.value === 0) startLap(state, event);
      else noteSteps(state, event);
      state.handshake.status = event.after;
      return;
    case 'reset-done':
      state.handshake.resetDone = true;
      return;
    case 'needs-reset':
      state.handshake.status |= status.DEVICE_NEEDS_RESET;
      state.needsReset = event;
      return;
    default:
      if (isAccess(event)) {
        noteOtherAccess(state);
        state.handshake.resetUsed = true;
      }
  }
}

/** Accesses by meaning: the raw `register-read` and `register-write` facts only repeat them, unless they went wrong. */
export function isAccess(event: VirtioEvent): boolean {
  if (event.kind.startsWith('pci-')) return false;
  if (event.by !== 'driver' || 'place' in event) return false;
  if (
    event.kind === 'publish' ||
    event.kind === 'collect' ||
    event.kind === 'unordered' ||
    event.kind === 'buffer-access'
  )
    return false;
  return (event.kind !== 'register-read' && event.kind !== 'register-write') || event.defect !== undefined;
}

function noteIdentity({ identity }: DeviceState, event: VirtioEvent & { readonly kind: 'identity-read' }): void {
  if (event.register === 'MagicValue') identity.magicRead = true;
  else if (event.register === 'Version') identity.versionRead = true;
  else {
    identity.usedOtherwise ||= !identity.magicRead || !identity.versionRead;
    if (event.register === 'VendorID') return;
    identity.deviceIdRead = true;
    identity.deviceId = event.value;
  }
}

function noteOtherAccess({ identity }: DeviceState): void {
  if (!identity.magicRead || !identity.versionRead) identity.usedOtherwise = true;
  else if (!identity.deviceIdRead) identity.usedBeforeDeviceId = true;
}

function noteSteps(
  { description, handshake }: DeviceState,
  event: VirtioEvent & { readonly kind: 'status-write' },
): void {
  for (let bit = 1; bit <= event.value && bit < 256; bit <<= 1) {
    if ((event.value & bit) !== 0 && !handshake.setBy.has(bit)) handshake.setBy.set(bit, event);
  }
  handshake.written |= event.value;
  handshake.resetUsed = true;
  const gained = event.value & ~event.before;
  if ((gained & status.FEATURES_OK) !== 0) handshake.featuresOkUnread = true;
  const judged = gained & dialects[description.dialect].judgedAt;
  handshake.unread |= judged;
  handshake.refused &= ~judged;
}
