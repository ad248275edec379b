// Explanations of the rules about rings, ownership, notifications, interrupts and waiting. [virtio 1.4, 2.7, 3.3.1, 4.2.3]
import type { ExplanationTable } from './explanation';

const publish = `avail->ring[index % size] = head;
fence(w, w);
avail->idx = ++index;`;
const handler = `bits = read32(InterruptStatus);
write32(InterruptACK, bits);
if (bits & 1) drain_used_ring();
if (bits & 2) read_configuration();`;
const recheck = `avail->used_event = last_used;
fence(w, r);
if (used->idx == last_used) wait_for_interrupt();`;

export const ringExplanations: ExplanationTable = {
  'split.head-out-of-range': {
    demanded: 'A slot names a descriptor below the queue size.',
    hardware: 'A device that does not check reads beyond the table; others stop the queue.',
    wrong: `avail->ring[index % size] = size;`,
    right: publish,
  },
  'split.next-out-of-range': {
    demanded: 'Each next names a descriptor of the same table.',
    hardware: 'The chain leads into memory behind the table.',
    wrong: `desc[i].next = i + 1; /* also for the last */`,
    right: `desc[i].next = (i + 1) % size;`,
  },
  'split.chain-endless': {
    demanded: 'A chain ends, and holds less than 4 GiB.',
    hardware: 'A device follows the loop until it gives up, and takes the queue down.',
    wrong: `desc[2].flags = NEXT;
desc[2].next = 0;`,
    right: `desc[2].flags = WRITE;`,
  },
  'split.readable-after-writable': {
    demanded: 'Everything the device reads stands in front of everything it writes.',
    hardware: 'Devices split the chain at the first writable descriptor; the rest of the request is lost.',
    wrong: `chain(header, status_writable, data);`,
    right: `chain(header, data, status_writable);`,
  },
  'split.indirect-not-negotiated': {
    demanded: 'Indirect tables need VIRTIO_F_INDIRECT_DESC.',
    hardware: 'The device takes the table for the data.',
    wrong: `desc[0].flags = INDIRECT;`,
    right: `desc[0].flags = accepted & F_INDIRECT_DESC ? INDIRECT : NEXT;`,
  },
  'split.indirect-nested': {
    demanded: 'An entry of an indirect table is a buffer, never another table.',
    hardware: 'Devices reject the chain or use the inner table as data.',
    wrong: `table[0].flags = INDIRECT;`,
    right: `table[0].flags = NEXT;`,
  },
  'split.chain-too-long': {
    demanded: 'A chain has at most as many descriptors as the queue, in indirect tables too.',
    hardware: 'Devices keep lists of that length and refuse more.',
    wrong: `fill(table, pieces, count);`,
    right: `if (count > size) return split_request();
fill(table, pieces, count);`,
  },
  'split.indirect-and-next': {
    demanded: 'A descriptor that names a table ends its chain.',
    hardware: 'What follows is ignored by some devices and processed twice by others.',
    wrong: `desc[0].flags = INDIRECT | NEXT;`,
    right: `desc[0].flags = INDIRECT;`,
  },
  'split.indirect-length': {
    demanded: 'The length of a table is 16 bytes for each entry, and at least one entry.',
    hardware: 'Devices stop the queue.',
    wrong: `desc[0].len = count;`,
    right: `desc[0].len = count * sizeof(struct virtq_desc);`,
  },
  'split.buffer-outside-memory': {
    demanded: 'Addresses of buffers are physical and lie in memory.',
    hardware: 'Emulators break the device; hardware reads or writes somewhere else.',
    wrong: `desc[0].addr = (uint64_t)buffer;`,
    right: `desc[0].addr = to_physical(buffer);`,
  },
  'split.zero-length': {
    demanded: 'A descriptor describes bytes.',
    hardware: 'QEMU stops the queue at an empty one, others skip it.',
    wrong: `desc[1].len = sizeof(NULL_BUFFER) - 1;`,
    right: `if (length > 0) add(desc, buffer, length);`,
  },
  'split.in-order-links': {
    demanded: 'With VIRTIO_F_IN_ORDER descriptors are used in table order.',
    hardware: 'Hardware that streams the table does not look at next.',
    wrong: `desc[0].next = free_list;`,
    right: `desc[0].next = 1;`,
  },
  'split.available-index-backwards': {
    demanded: 'The available index only grows, and wraps at 65536.',
    hardware: 'The device takes the step back for tens of thousands of new buffers.',
    wrong: `index = (index + 1) % size;
avail->idx = index;`,
    right: `index = (uint16_t)(index + 1);
avail->idx = index;`,
  },
  'split.available-index-jump': {
    demanded: 'No more buffers are outstanding than the ring has slots.',
    hardware: 'The oldest slots are overwritten before the device reads them.',
    wrong: `while (work) publish(next());`,
    right: `while (work && in_flight < size) publish(next());`,
  },
  'split.available-flags': {
    demanded: 'Available flags are 0 or 1, and 0 with VIRTIO_F_EVENT_IDX.',
    hardware: 'The other bits may get a meaning; with the event index the device looks elsewhere.',
    wrong: `avail->flags = 1; /* EVENT_IDX negotiated */`,
    right: `avail->used_event = last_used + size; /* far ahead */`,
  },
  'split.used-ring-written': {
    demanded: 'The used ring belongs to the device.',
    hardware: 'The store makes completions up or wipes them out, and races with DMA.',
    wrong: `used->ring[slot].len = 0;`,
    right: `last_used++;`,
  },
  'split.avail-event-read': {
    demanded: 'avail_event means something only with VIRTIO_F_EVENT_IDX.',
    hardware: 'Without it the field stays 0, and notifications go missing.',
    wrong: `if (used->avail_event == old) notify();`,
    right: `if (!(used->flags & NO_NOTIFY)) notify();`,
  },
  'split.slot-mismatch': {
    demanded: 'The slot is the index modulo the queue size.',
    hardware: 'The device reads an old head from the slot it looks at.',
    wrong: `avail->ring[head % size] = head;
avail->idx = ++index;`,
    right: publish,
  },
  'ownership.descriptor-changed': {
    demanded: 'Descriptors of exposed buffers are not altered until the buffer was used.',
    hardware: 'The device may read the descriptor before, after or halfway: it writes into the wrong memory.',
    wrong: `free_descriptor(oldest); /* whatever was used */
desc[oldest].addr = next_buffer;`,
    right: `head = used->ring[last_used % size].id;
free_chain(head);`,
  },
  'ownership.indirect-table-changed': {
    demanded: 'An indirect table belongs to the device as long as its chain.',
    hardware: 'A table on the stack or in a pool is overwritten while the device walks it.',
    wrong: `struct virtq_desc table[4]; /* on the stack */
submit(table);
return;`,
    right: `struct virtq_desc *table = request->table;
submit(table);
wait(request);`,
  },
  'ownership.slot-changed': {
    demanded: 'A published slot is left alone until the device has read it.',
    hardware: 'A request is lost and another is processed twice.',
    wrong: `avail->ring[(index - 1) % size] = other;`,
    right: publish,
  },
  'ownership.descriptor-published-twice': {
    demanded: 'A descriptor is part of one outstanding chain at most.',
    hardware: 'Two completions with one id: the driver frees or finishes the wrong request.',
    wrong: `head = 0; /* always the same */`,
    right: `head = take_from_free_list();`,
  },
  'notify.missing': {
    demanded: 'After a publish the device is notified when used flags are 0.',
    hardware: 'An idle device looks at nothing by itself, and both sides wait.',
    wrong: publish,
    right: `${publish}
fence(rw, rw);
if (!(used->flags & NO_NOTIFY)) write32(QueueNotify, 0);`,
  },
  'notify.missing-at-event': {
    demanded: 'With VIRTIO_F_EVENT_IDX the device is notified when the published range passes avail_event.',
    hardware: 'The device went to sleep at that index.',
    wrong: `if (used->avail_event == index) write32(QueueNotify, 0);`,
    right: `event = used->avail_event;
if ((uint16_t)(index - event - 1) < (uint16_t)(index - old)) write32(QueueNotify, 0);`,
  },
  'notify.suppressed': {
    demanded: 'When used flags are 1 no notification is sent.',
    hardware: 'Each one is an exit to the hypervisor: throughput falls, nothing breaks.',
    wrong: `write32(QueueNotify, 0);`,
    right: `if (!(used->flags & NO_NOTIFY)) write32(QueueNotify, 0);`,
  },
  'notify.event-not-reached': {
    demanded: 'Before avail_event is passed no notification is sent.',
    hardware: 'Needless exits.',
    wrong: `write32(QueueNotify, 0);`,
    right: `if (passed(used->avail_event, old, index)) write32(QueueNotify, 0);`,
  },
  'notify.unknown-queue': {
    demanded: 'The value of a notification is the index of a queue.',
    hardware: 'It is dropped, and the right queue is never looked at.',
    wrong: `write32(QueueNotify, head);`,
    right: `write32(QueueNotify, queue->index);`,
  },
  'notify.queue-not-ready': {
    demanded: 'Queues are notified when they are enabled.',
    hardware: 'The device drops the notification.',
    wrong: `write32(QueueNotify, 1); /* queue 1 was never enabled */`,
    right: `enable_queue(1);
write32(Status, status | DRIVER_OK);
write32(QueueNotify, 1);`,
  },
  'interrupt.undefined-bits-acknowledged': {
    demanded: 'Only defined bits are written to InterruptACK.',
    hardware: 'A later device has a third cause; the driver throws it away.',
    wrong: `write32(InterruptACK, 0xffffffff);`,
    right: `write32(InterruptACK, bits & 3);`,
  },
  'interrupt.status-not-read': {
    demanded: 'After an interrupt InterruptStatus is read to learn its cause.',
    hardware: 'A configuration change is acknowledged as if it had been a used buffer.',
    wrong: `write32(InterruptACK, 1);
drain_used_ring();`,
    right: handler,
  },
  'interrupt.ignored': {
    demanded: 'The handler looks at the device that interrupted.',
    hardware: 'A level-triggered line stays up: the machine does nothing but take interrupts.',
    wrong: `source = claim();
complete(source);`,
    right: `source = claim();
${handler}
complete(source);`,
  },
  'interrupt.not-acknowledged': {
    demanded: 'Handled bits are written to InterruptACK.',
    hardware: 'With a level-triggered line an interrupt storm, with an edge no further interrupt.',
    wrong: `if (read32(InterruptStatus) & 1) drain_used_ring();`,
    right: handler,
  },
  'interrupt.acknowledged-unseen': {
    demanded: 'Exactly the bits that were seen are acknowledged.',
    hardware: 'The other cause arises between read and write once in a million times, and is lost.',
    wrong: `bits = read32(InterruptStatus);
write32(InterruptACK, 3);`,
    right: handler,
  },
  'waiting.event-idx-not-honoured': {
    demanded: 'A driver that accepts VIRTIO_F_EVENT_IDX says in used_event at which entry it wants the next interrupt.',
    hardware: 'QEMU offers the feature by default: the first interrupt comes, the second does not.',
    wrong: `write32(DriverFeatures, read32(DeviceFeatures));
wait_for_interrupt();`,
    right: recheck,
  },
  'waiting.used-event-stale': {
    demanded: 'used_event names an entry that is still to come when the driver begins to wait.',
    hardware: 'The wait never ends, under load and on several harts only.',
    wrong: `avail->used_event = older_index;
wait_for_interrupt();`,
    right: recheck,
  },
  'waiting.interrupts-left-off': {
    demanded: 'A driver that waits for an interrupt does not ask the device for silence.',
    hardware: 'Devices that interrupt all the same hide the mistake.',
    wrong: `avail->flags = 1;
wait_for_interrupt();`,
    right: `avail->flags = 0;
fence(w, r);
if (used->idx == last_used) wait_for_interrupt();`,
  },
  'waiting.completion-hidden': {
    demanded: 'A bit is acknowledged for events that were handled; what came since must still be noticed.',
    hardware:
      'With a fast disk and a slow hart the request hangs once a day, and every timeout in the system is suspected.',
    wrong: `drain_used_ring();
write32(InterruptACK, bits);`,
    right: `write32(InterruptACK, bits);
drain_used_ring();`,
  },
  'waiting.completion-unseen': {
    demanded: 'The used index is loaded anew each time the driver looks.',
    hardware: 'At -O0 it works; at -O2 the compiler keeps the index in a register.',
    wrong: `while (used->idx == last_used) { }`,
    right: `while (*(volatile uint16_t *)&used->idx == last_used) { }`,
  },
  'waiting.config-change-ignored': {
    demanded: 'A configuration change notification is served by looking at Status and the configuration.',
    hardware: 'A resized disk keeps its old size until the next boot, and DEVICE_NEEDS_RESET stays unnoticed.',
    wrong: `if (bits & 1) drain_used_ring();
else read_configuration();
write32(InterruptACK, bits);`,
    right: handler,
  },
  'waiting.receive-queue-empty': {
    demanded: 'A driver that wants input gives the device buffers for it, again and again.',
    hardware: 'Input stops after as many pieces as there were buffers.',
    wrong: `take(buffer); /* and never back */`,
    right: `take(buffer);
publish(receive, head);
notify(receive);`,
  },
};
