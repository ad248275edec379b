// Intents that several pictures offer.
import { availableOffset } from '../../../emulator/virtio/spec/split-ring';
import type { ViolationPlace } from '../../../emulator/virtio/violation';
import { descriptorAddress, fieldAddress } from '../../../emulator/virtio/watch/chains';
import type { CodePosition, Intent } from '../../../webview/model/inspector';
import { viewRing } from './rings';
import type { DeviceView } from './source';

/** To the source line, or to the disassembly where there is none. */
export function positionIntent(position: CodePosition): Intent {
  return position.file !== null && position.line !== null
    ? { type: 'goToSource', file: position.file, line: position.line }
    : { type: 'goToAddress', pc: position.pc };
}

const fieldBytes = { addr: 8, len: 4, flags: 2, next: 2, id: 2 } as const;
const descriptorBytes = 16;

/** To a stop at the next store to a cell that the driver writes; undefined for what is no such cell. [virtio 1.4, 2.7.5, 2.7.6] */
export function breakWhenChanges(place: ViolationPlace | undefined, view: DeviceView | undefined): Intent | undefined {
  if (view === undefined || (place?.kind !== 'descriptor' && place?.kind !== 'available')) return undefined;
  const ring = viewRing(view, place.queue);
  if (ring === undefined) return undefined;
  const watch = (address: number, lengthBytes: number): Intent => {
    return { type: 'breakWhenChanges', address: `0x${address.toString(16)}`, lengthBytes };
  };
  if (place.kind === 'descriptor') {
    const at = descriptorAddress(ring.queue, place.index, place.table);
    return place.field === undefined
      ? watch(at, descriptorBytes)
      : watch(fieldAddress(ring.queue.format, at, place.field), fieldBytes[place.field]);
  }
  const offset = {
    flags: availableOffset.flags,
    idx: availableOffset.idx,
    used_event: availableOffset.usedEvent(ring.size),
    ring: availableOffset.ring(place.slot ?? 0),
  }[place.field];
  return watch(ring.queue.driverArea + offset, 2);
}
