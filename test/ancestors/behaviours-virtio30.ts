// The handshake of the VIRTIO-30 draft, and what it said about legacy drivers. The draft is a dialect of this emulator.
import { type Behaviour, dialectGuest, draft, legal, mmio, mmioLegacy, twin } from './behaviour';

const speaks = dialectGuest('a driver that speaks it reads a sector without an alarm');
const inDraft = (rule: string): ReturnType<typeof twin> => twin('draft-virtio30', `draft.${rule}`);
const waits = draft('lets notifications wait for DEVICE_OK');
const legacyReads = mmioLegacy('reads sectors with');

export const virtio30: readonly Behaviour[] = [
  { id: 'virtio30.device-ok', does: 'Bit 8 of the status says that the device may take buffers.', here: 'in the draft’s dialect; it is FEATURES_OK in the others', tests: [waits, inDraft('device-ok-missing')] },
  { id: 'virtio30.driver-ok-meaning', does: 'With DRIVER_OK the driver may add buffers.', here: 'in the draft’s dialect; 1.x goes live with it', tests: [waits, mmio('(crosvm.activation,')] },
  { id: 'virtio30.step-01', does: 'The driver finds the device.', tests: [speaks, twin('handshake', 'init.not-identified')] },
  { id: 'virtio30.step-02', does: 'A reset, which the first start can do without.', here: '1.x wants it at every start', tests: [draft('(virtio30.step-02'), twin('handshake', 'init.no-reset')] },
  { id: 'virtio30.step-03', does: 'ACKNOWLEDGE.', tests: [speaks, inDraft('step-skipped')] },
  { id: 'virtio30.step-04', does: 'The offer is read, before DRIVER.', tests: [speaks] },
  { id: 'virtio30.step-05', does: 'All that the driver knows is accepted.', tests: [speaks, inDraft('features-after-driver')] },
  { id: 'virtio30.step-06', does: 'DRIVER.', tests: [inDraft('step-skipped')] },
  { id: 'virtio30.step-07', does: 'The device looks at the features, and takes DRIVER back if it cannot work with them.', tests: [draft('(virtio30.step-07')] },
  { id: 'virtio30.step-08', does: 'The driver reads whether DRIVER is still there.', tests: [draft('virtio30.step-08)'), inDraft('answer-not-read')] },
  { id: 'virtio30.step-09', does: 'The driver may give features up.', tests: [speaks, inDraft('features-grew'), draft('(virtio30.step-09')] },
  { id: 'virtio30.step-10', does: 'Queues and what else the device needs are set up.', tests: [speaks] },
  { id: 'virtio30.step-11', does: 'DRIVER_OK, which settles the features.', tests: [draft('(virtio30.step-11'), inDraft('features-after-driver-ok')] },
  { id: 'virtio30.step-12', does: 'The device looks once more, and takes DRIVER_OK back if it must.', tests: [draft('virtio30.step-12')] },
  { id: 'virtio30.step-13', does: 'The driver reads whether DRIVER_OK is still there.', tests: [draft('virtio30.step-13)'), inDraft('answer-not-read')] },
  { id: 'virtio30.step-14', does: 'Buffers are added, and the device leaves them alone; a notification waits.', tests: [waits] },
  { id: 'virtio30.step-15', does: 'DEVICE_OK.', tests: [waits, inDraft('device-ok-missing')] },
  { id: 'virtio30.step-16', does: 'The device takes buffers and interrupts.', tests: [waits] },
  { id: 'virtio30.failed', does: 'A driver that cannot go on sets FAILED, and may begin again with a reset.', tests: [draft('virtio30.failed)'), legal('giving up, and trying again after a reset')] },
  { id: 'virtio30.legacy-order', does: 'Legacy drivers write features late, add buffers and set DRIVER_OK last.', tests: [legacyReads, speaks] },
  { id: 'virtio30.legacy-early-use', does: 'Legacy drivers used the device before DRIVER_OK, and devices let them.', tests: [mmioLegacy('serves a driver that notifies before DRIVER_OK')] },
  { id: 'virtio30.legacy-no-device-ok', does: 'Legacy drivers do not know DEVICE_OK, and no device may wait for it.', tests: [legacyReads, twin('legacy', 'legacy.features-ok-set')] },
  { id: 'virtio30.legacy-consume', does: 'Legacy devices leave buffers alone before DRIVER_OK; a notification may wait.', here: 'the first notification makes the device live, as in QEMU, and a hazard is reported', tests: [mmioLegacy('serves a driver that notifies before DRIVER_OK'), twin('legacy', 'legacy.used-before-driver-ok')] },
  { id: 'virtio30.legacy-feature-check', does: 'A legacy device learns the features too late to say no.', tests: [mmioLegacy('(virtio30.legacy-feature-check')] },
  { id: 'virtio30.legacy-no-readback', does: 'Legacy drivers do not read the status again, so nothing can tell them.', tests: [mmioLegacy('virtio30.legacy-no-readback)'), legacyReads] },
  { id: 'virtio30.footnote-version1', does: 'Leaving VERSION_1 out at a modern device is what may be refused.', here: 'only where the configuration insists', tests: [mmio('(virtio30.footnote-version1)')] },
]; // prettier-ignore
