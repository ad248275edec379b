// One line of plain text for each event, in the specification's words, and which events ring stepping stops at.
import { positionText } from '../virtio/spec/packed-ring';
import { statusText } from '../virtio/spec/status';
import type { RingPlace, VirtioEvent, VirtioFact } from './events';

export function describeEvent(event: VirtioEvent | VirtioFact): string {
  const where = event.device === undefined ? '' : `${event.device}: `;
  return where + describeDeed(event);
}

/** The same without the device's name. */
export function describeDeed(event: VirtioFact): string {
  switch (event.kind) {
    case 'register-read':
      return `driver read ${event.register ?? `offset ${hex(event.offset)}`}: ${hex(event.value)}`;
    case 'register-write':
      return `driver wrote ${hex(event.value)} to ${event.register ?? `offset ${hex(event.offset)}`}`;
    case 'config-read':
      return `driver read configuration ${event.field ?? `offset ${hex(event.offset)}`}: ${hex(event.value)}`;
    case 'config-write':
      return `driver wrote ${hex(event.value)} to configuration ${event.field ?? `offset ${hex(event.offset)}`}`;
    case 'config-generation-read':
      return `driver read ConfigGeneration: ${event.value}`;
    case 'identity-read':
      return `driver read ${event.register}: ${hex(event.value)}`;
    case 'status-read':
      return `driver read Status: ${statusText(event.value)}`;
    case 'status-write':
      return event.value === 0
        ? 'driver reset the device'
        : `driver wrote Status ${statusText(event.value)}${event.after === event.value ? '' : `; the device made it ${statusText(event.after)}`}`;
    case 'device-features-select':
      return `driver selected device feature bits ${event.value * 32} to ${event.value * 32 + 31}`;
    case 'device-features-read':
      return `driver read device features of window ${event.window}: ${hex(event.value)}`;
    case 'driver-features-select':
      return `driver selected driver feature bits ${event.value * 32} to ${event.value * 32 + 31}`;
    case 'driver-features-write':
      return `driver accepted features ${hex(event.value)} in window ${event.window}`;
    case 'queue-select':
      return `driver selected queue ${event.value}`;
    case 'queue-size-max-read':
      return `driver read QueueSizeMax of queue ${event.queue}: ${event.value}`;
    case 'queue-setup':
      return `driver wrote ${event.field} of queue ${event.queue}: ${event.field === 'QueueSize' ? event.value : hex(event.value)}`;
    case 'queue-ready-write':
      return event.pageFrame === undefined
        ? `driver wrote QueueReady of queue ${event.queue}: ${event.value}`
        : `driver wrote the page frame number of queue ${event.queue}: ${hex(event.pageFrame.value)}`;
    case 'guest-page-size-write':
      return `driver wrote GuestPageSize: ${event.value}`;
    case 'pci-config-write':
      return `driver wrote ${hex(event.value)} to PCI ${event.field ?? `configuration offset ${hex(event.offset)}`}`;
    case 'pci-command-write':
      return `driver wrote the PCI command register: ${hex(event.after)}`;
    case 'pci-vendor-id-read':
      return `driver read vendor_id of the vendor capability: ${hex(event.value)}`;
    case 'pci-window-access':
      return `driver used the configuration access window: BAR${event.bar} at ${hex(event.offset)}, ${event.length} bytes`;
    case 'vector-write':
      return `driver mapped ${vectorOf(event.queue)} to vector ${hex(event.value)}${event.after === event.value ? '' : `; it reads ${hex(event.after)}`}`;
    case 'vector-read':
      return `driver read the vector of ${vectorOf(event.queue)}: ${hex(event.value)}`;
    case 'queue-align-write':
      return `driver wrote QueueAlign of queue ${event.queue}: ${event.value}`;
    case 'queue-ready-read':
      return `driver read QueueReady of queue ${event.queue}: ${event.value}`;
    case 'queue-reset-write':
      return `driver wrote QueueReset of queue ${event.queue}: ${event.value}`;
    case 'queue-reset-read':
      return `driver read QueueReset of queue ${event.queue}: ${event.value}`;
    case 'notify':
      return `driver notified queue ${event.queue}`;
    case 'interrupt-status-read':
      return `driver read InterruptStatus: ${hex(event.value)}`;
    case 'interrupt-acknowledge':
      return `driver acknowledged interrupt bits ${hex(event.value)}`;
    case 'shared-memory-access':
      return `driver accessed ${event.register}`;
    case 'ring-load':
      return `driver loaded ${placeText(event.place)} of queue ${event.queue}: ${hex(event.after)}`;
    case 'ring-store':
      return `driver stored ${hex(event.after)} to ${placeText(event.place)} of queue ${event.queue}`;
    case 'publish': {
      const heads = event.chains.map((chain) => chain.head).join(', ');
      const packed = event.packedSize !== undefined;
      const what = `${packed ? 'buffer id' : 'head'}${event.chains.length === 1 ? '' : 's'} ${heads}`;
      return `driver published ${what} on queue ${event.queue}: ${event.packedSize === undefined ? `available idx ${event.before} → ${event.after}` : `next descriptor ${positionText(event.after, event.packedSize)}`}`;
    }
    case 'collect':
      if (event.packedSize !== undefined) {
        return `driver saw used descriptors of queue ${event.queue} up to ${positionText(event.after, event.packedSize)}`;
      }
      return `driver saw used idx ${event.after} of queue ${event.queue} (${(event.after - event.before) & 0xffff} new)`;
    case 'unordered':
      return `driver loaded ${event.target === 'buffer' ? 'a buffer' : 'a used entry'} of queue ${event.queue} at ${hex(event.physicalAddress)}, not ordered behind its load of the used idx`;
    case 'buffer-access':
      return `driver ${event.access === 'load' ? 'loaded from' : 'stored to'} the buffer of descriptor ${event.descriptor} of queue ${event.queue} at ${hex(event.physicalAddress)}, ${event.phase === 'seen' ? 'beyond what the device wrote' : 'which the device has'}`;
    case 'fetch':
      return `device fetched ${event.chain.packed === undefined ? 'head' : 'buffer id'} ${event.chain.head} from queue ${event.queue}, ${event.chain.elements.length} descriptors`;
    case 'dma-read':
      return `device read ${event.length} bytes at ${hex(event.address)}`;
    case 'dma-write':
      return `device wrote ${event.length} bytes at ${hex(event.address)}`;
    case 'request':
      return `device: ${event.description}${event.status === undefined ? '' : `, ${event.status}`}`;
    case 'used':
      if (event.packedSize !== undefined) {
        return `device returned buffer id ${event.head} on queue ${event.queue}, len ${event.length}, in slot ${event.slot}`;
      }
      return `device returned head ${event.head} on queue ${event.queue}, len ${event.length}: used idx ${event.usedIndex}`;
    case 'suppression':
      return `device wrote ${event.packedSize === undefined ? 'used' : 'event suppression'} ${event.field} of queue ${event.queue}: ${event.value}`;
    case 'interrupt':
      if (event.vector !== undefined) return messageText(event.cause, event.outcome, event.vector);
      return event.outcome === 'suppressed'
        ? `device left out the ${event.cause} interrupt: the driver asked for none`
        : `device raised the ${event.cause} interrupt${event.outcome === 'already-pending' ? ' (it was pending already)' : ''}`;
    case 'starved':
      return `device has something for queue ${event.queue} and no buffer to put it into`;
    case 'stale-fetch':
      return `device fetched head ${event.head} of queue ${event.queue} without seeing the store of hart ${event.store.hart} to ${hex(event.store.address)} at pc ${hex(event.store.pc)}`;
    case 'config-change':
      return `device changed its configuration: generation ${event.generation}`;
    case 'queue-reset-done':
      return `device finished the reset of queue ${event.queue}`;
    case 'needs-reset':
      return `device needs a reset: ${event.reason}`;
    case 'reset-done':
      return 'device finished its reset';
    case 'suspended':
      return 'device is suspended';
    case 'resumed':
      return 'device runs again';
    case 'device-fault':
      return `device model fault: ${event.message}`;
    case 'interrupt-claim':
      return `hart claimed interrupt ${event.source}`;
    case 'interrupt-complete':
      return `hart completed interrupt ${event.source}`;
    case 'interrupt-line':
      return `interrupt line ${event.source} went ${event.level ? 'up' : 'down'}`;
    case 'idle':
      return 'every hart waits';
  }
}

/** What *Next Ring Event* stops at: whatever moves a descriptor chain on its way, seen once. */
const ringEventKinds: readonly VirtioFact['kind'][] = ['publish', 'notify', 'fetch', 'used', 'interrupt', 'collect', 'interrupt-acknowledge']; // prettier-ignore

export function isRingEvent(event: VirtioFact): boolean {
  if (event.kind === 'ring-store')
    return event.place.part === 'descriptor' || (event.place.part === 'available' && event.place.field === 'ring');
  return ringEventKinds.includes(event.kind);
}

export function placeText(place: RingPlace): string {
  switch (place.part) {
    case 'descriptor':
      return `${place.table === undefined ? 'descriptor' : 'indirect descriptor'} ${place.index} ${place.field}`;
    case 'available':
      return 'slot' in place ? `available ring[${place.slot}]` : `available ${place.field}`;
    case 'used':
      return 'slot' in place ? `used ring[${place.slot}].${place.field}` : `used ${place.field}`;
    case 'driver-event':
    case 'device-event':
      return `${place.part === 'driver-event' ? 'driver' : 'device'} event suppression ${place.field}`;
  }
}

function messageText(cause: string, outcome: 'raised' | 'already-pending' | 'suppressed', vector: number): string {
  if (outcome === 'suppressed') return `device sent no message for the ${cause} interrupt: no vector is mapped to it`;
  return outcome === 'raised'
    ? `device sent MSI-X vector ${vector} for the ${cause} interrupt`
    : `device has MSI-X vector ${vector} pending for the ${cause} interrupt: it is masked`;
}

function vectorOf(queue: number | undefined): string {
  return queue === undefined ? 'configuration changes' : `queue ${queue}`;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
