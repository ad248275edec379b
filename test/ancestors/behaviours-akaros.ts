// What the devices of lguest and Akaros did beside their checks.
import { activity, type Behaviour, chain, coverage, mmio } from './behaviour';

export const lguestAndAkaros: readonly Behaviour[] = [
  { id: 'lguest.b.no-interrupt-flag', does: 'A set NO_INTERRUPT flag keeps the device from interrupting.', tests: [activity('(lguest.b.no-interrupt-flag)')] },
  { id: 'lguest.b.ignore-used-event', does: 'Without EVENT_IDX the driver’s used_event means nothing.', tests: [activity('(lguest.b.ignore-used-event)')] },
  { id: 'lguest.b.ignore-write-on-indirect', does: 'WRITE on a descriptor that names a table means nothing.', tests: [chain('(lguest.b.ignore-write-on-indirect)')] },
  { id: 'lguest.b.spurious', does: 'The wait for buffers looks again when a notification brought none.', tests: [activity('(lguest.b.spurious)')] },
  { id: 'lguest.b.reset', does: 'Writing 0 to the status forgets the handshake, and 0 is read.', tests: [mmio('(akaros.b.reset, lguest.b.reset)')] },
  { id: 'lguest.b.start', does: 'DRIVER_OK sets the queues going.', tests: [mmio('lguest.b.start)')] },
  { id: 'lguest.b.device-status-init', does: 'A new device has status 0 and offers VERSION_1.', tests: [mmio('lguest.b.device-status-init)')] },
  { id: 'akaros.b.no-device', does: 'A slot without a device answers to the three identity registers only; all else is 0 and writes are lost.', tests: [mmio('(akaros.b.no-device)')] },
  { id: 'akaros.b.ids', does: 'Magic value and version 2, and a vendor of its own.', here: 'the vendor is QEMU’s', tests: [mmio('(akaros.b.ids')] },
  { id: 'akaros.b.select-high', does: 'Every feature window but the first shows bits 32 to 63.', here: 'windows after the second read 0', tests: [mmio('(akaros.b.select-high')] },
  { id: 'akaros.b.queue-sel-invalid', does: 'Any queue can be selected; one that is not there has size 0 and is not ready.', tests: [mmio('(akaros.b.queue-sel-invalid)')] },
  { id: 'akaros.b.reset', does: 'A reset forgets features, interrupts and queues, and the configuration starts over with a new generation.', tests: [mmio('(akaros.b.reset, lguest.b.reset)')] },
  { id: 'akaros.b.config-write', does: 'The driver’s own configuration write makes a new generation and an interrupt.', here: 'it makes neither', tests: [mmio('(akaros.b.config-write')] },
  { id: 'akaros.b.features-ok-refused', does: 'FEATURES_OK stays clear when the choice cannot be, and a read shows it.', tests: [mmio('(akaros.b.features-ok-refused)')] },
  { id: 'akaros.b.status-byte', does: 'The status has eight bits, whatever is written above.', tests: [mmio('(akaros.b.status-byte)')] },
  { id: 'akaros.b.queue-ready-toggle', does: 'QueueReady changes from 0 to 1 and back, by those values alone.', tests: [mmio('(akaros.b.queue-ready-toggle)')] },
  { id: 'akaros.b.notify-range', does: 'Notifying a queue that is not there does nothing.', tests: [mmio('(akaros.b.notify-range)')] },
  { id: 'akaros.b.isr-ack', does: 'InterruptACK takes away the bits that it is given.', tests: [mmio('(akaros.b.isr-ack)')] },
  { id: 'akaros.b.message-ref', does: 'Messages name the section that demands it.', tests: [coverage('${rule.id} is written out')] },
]; // prettier-ignore
