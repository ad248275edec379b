// Explanations of the rules about the order of accesses, about ownership of payload, and of what notifications carry.
// [virtio 1.4, 2.7.13, 2.7.14, 2.8.21, 3.3.1] `fence(w, r)` stands for the RISC-V instruction `fence w,r`, also for the compiler.
import type { ExplanationTable } from './explanation';

const publish = `desc[head] = element;
avail->ring[index % size] = head;
fence(w, w);
avail->idx = ++index;`;

const ask = `fence(w, r);
if (!(used->flags & NO_NOTIFY)) {
    fence(w, o);
    write32(QueueNotify, queue);
}`;

const publishPacked = `ring[slot].addr = physical;
ring[slot].len = length;
ring[slot].id = id;
fence(w, w);
ring[slot].flags = mark(wrap);`;

export const orderingExplanations: ExplanationTable = {
  'ordering.publish': {
    demanded: 'What a ring entry leads to is visible before the available index that counts it.',
    hardware:
      'On x86 stores stay in order, under QEMU’s TCG there too, and on simple in-order cores mostly. RISC-V cores with a merging store buffer and Arm servers do not: once in millions of requests the device reads an old descriptor.',
    wrong: `desc[head] = element;
avail->ring[index % size] = head;
avail->idx = ++index;`,
    right: publish,
  },
  'ordering.publish-buffer': {
    demanded: 'Headers, data and indirect tables are stored before the barrier that stands in front of the index.',
    hardware:
      'On weakly ordered cores the disk gets the header of the request before. A status byte preset too late overwrites the device’s answer, and the request seems never to end.',
    wrong: `${publish}
header->sector = sector;
*status = 0xff;`,
    right: `header->sector = sector;
*status = 0xff;
${publish}`,
  },
  'ordering.stale-fetch': {
    demanded:
      'All stores of a request are visible to the device before the index that exposes it, whichever harts made them.',
    hardware:
      'Seen with the mood `storeBuffer`, and on any machine with store buffers: one hart fills descriptors, another publishes, and the hand-over between them was a plain flag. Two harts on one cluster mostly get away with it, on two clusters not.',
    wrong: `fill(&desc[head]);
filled[head] = true; /* another hart waits for this */`,
    right: `fill(&desc[head]);
atomic_store_explicit(&filled[head], true, memory_order_release);`,
  },
  'ordering.notification-check': {
    demanded: 'The new index is visible before the driver looks whether the device wants to be told.',
    hardware:
      'This is a store followed by a load, the one order that x86 gives up as well. Any multiprocessor host can lose the wakeup; it shows as a disk that hangs under load until some other request comes along.',
    wrong: `avail->idx = ++index;
if (!(used->flags & NO_NOTIFY)) write32(QueueNotify, queue);`,
    right: `avail->idx = ++index;
${ask}`,
  },
  'ordering.doorbell': {
    demanded: 'Memory that the device is to read is ordered before the register write that wakes it.',
    hardware:
      'RISC-V counts device registers as output, apart from memory: `fence rw,rw` leaves the doorbell free to overtake. Under a hypervisor the trap orders everything, so only real buses show it.',
    wrong: `avail->idx = ++index;
fence(rw, rw);
write32(QueueNotify, queue);`,
    right: `avail->idx = ++index;
fence(w, o);
write32(QueueNotify, queue);`,
  },
  'ordering.doorbell-platform': {
    demanded: 'With VIRTIO_F_ORDER_PLATFORM memory is ordered before the doorbell by barriers that hold for the bus.',
    hardware:
      'The feature is how a device in silicon says that it is one. SmartNICs offer it; there the doorbell and the ring travel different ways, and the doorbell wins.',
    wrong: `avail->idx = ++index;
write32(QueueNotify, queue);`,
    right: `avail->idx = ++index;
fence(w, o);
write32(QueueNotify, queue);`,
  },
  'ordering.used-index': {
    demanded: 'The used index is loaded before the entries and buffers that it counts.',
    hardware:
      'Out-of-order cores speculate past the branch on the index and load the entry early. The driver sees the new index with the old entry: a request completes twice, another never.',
    wrong: `if (used->idx != last_used)
    id = used->ring[last_used % size].id;`,
    right: `if (used->idx != last_used) {
    fence(r, r);
    id = used->ring[last_used % size].id;
}`,
  },
  'ordering.recheck': {
    demanded: 'The wish for interrupts is visible before the last look at the used index.',
    hardware:
      'Again a store followed by a load, so x86 is no excuse. If a completion falls between the two, nobody interrupts and nobody looks: the driver sleeps beside finished work.',
    wrong: `avail->flags = 0;
if (used->idx == last_used) wait_for_interrupt();`,
    right: `avail->flags = 0;
fence(w, r);
if (used->idx == last_used) wait_for_interrupt();`,
  },
  'ordering.packed-publish': {
    demanded: 'Address, length and id are visible before the flags that make the descriptor available.',
    hardware:
      'All four lie in 16 bytes, mostly in one cache line, and so it usually works. Store buffers merge by bytes, not by lines; a device that fetches while the line moves sees new flags and an old address.',
    wrong: `ring[slot] = (struct pvirtq_desc){ physical, length, id, mark(wrap) };`,
    right: publishPacked,
  },
  'ordering.packed-notification-check': {
    demanded: 'The flags of the list are visible before the device event suppression structure is loaded.',
    hardware:
      'A store followed by a load, which every processor may exchange. The device has just gone to sleep, the driver still reads that it is awake.',
    wrong: `ring[slot].flags = mark(wrap);
if (device_area->flags != EVENT_DISABLE) write32(QueueNotify, queue);`,
    right: `ring[slot].flags = mark(wrap);
fence(w, r);
if (device_area->flags != EVENT_DISABLE) {
    fence(w, o);
    write32(QueueNotify, queue);
}`,
  },
  'split.torn-access': {
    demanded: 'An index is loaded and stored as the 16 bits it is.',
    hardware:
      'Cores without misaligned access let compilers split a packed structure’s members into bytes. When 0x00ff becomes 0x0100 the device sees 0x0000 or 0x01ff for an instant, and takes hundreds of buffers that are not there.',
    wrong: `struct avail { uint16_t flags, idx; } __attribute__((packed));
avail->idx = index; /* two byte stores */`,
    right: `struct avail { uint16_t flags, idx; };
*(volatile uint16_t *)&avail->idx = index;`,
  },
  'ownership.buffer-changed': {
    demanded: 'Bytes that the device is to read stay as they are from the publish until the used entry is seen.',
    hardware:
      'A fast device has read them already, a busy one has not: the packet leaves with the text of the next one. Checksums computed by the device make it look like damage on the wire.',
    wrong: `submit(header);
header->sector += 8; /* the next request */
submit(header);`,
    right: `header = &requests[pop(free_requests)].header;
header->sector = next_sector;
submit(header);`,
  },
  'ownership.dead-stack-frame': {
    demanded: 'A buffer lives at least as long as its request.',
    hardware:
      'With a device that answers before the function returns all is well, so the test passes. Under load the answer lands on a return address or a loop counter of somebody else.',
    wrong: `int read_sector(uint64_t sector)
{
    struct request header = { T_IN, 0, sector };
    submit(&header);
    return 0; /* completion comes later */
}`,
    right: `int read_sector(uint64_t sector)
{
    struct request *header = take_request();
    *header = (struct request){ T_IN, 0, sector };
    submit(header);
    return 0; /* freed when its used entry was seen */
}`,
  },
  'notify.data-wrong': {
    demanded: 'With VIRTIO_F_NOTIFICATION_DATA a notification says which place the driver fills next.',
    hardware:
      'Cards with the feature start fetching at once, without reading the index over the bus. One entry too few stays behind until the next notification, one too many is fetched unwritten.',
    wrong: `write32(QueueNotify, queue | (first_new_slot << 16));`,
    right: `place = next_slot | (wrap << 15); /* split ring: the available index */
write32(QueueNotify, queue | (place << 16));`,
  },
  'ordering.packed-publish-buffer': {
    demanded:
      'Everything that a list describes is stored before the flags that make it available, and a fence stands between.',
    hardware:
      'Machines with one core and emulators on x86 hide it. With a device on another core of a weakly ordered machine one request in millions carries the header of its predecessor.',
    wrong: `fence(w, w);
request->sector = sector;
ring[head].flags = flags;`,
    right: `request->sector = sector;
fence(w, w);
ring[head].flags = flags;`,
  },
  'ordering.packed-used-flags': {
    demanded: 'Id, length and buffers of a used descriptor are loaded behind its flags.',
    hardware:
      'A core that loads ahead returns the id of the lap before: the driver completes the wrong request, once in hours.',
    wrong: `if (is_used(ring[next].flags)) id = ring[next].id;`,
    right: `if (is_used(ring[next].flags)) {
    fence(r, r);
    id = ring[next].id;
}`,
  },
  'ordering.packed-recheck': {
    demanded: 'The wish for an interrupt is visible before the last look at the flags.',
    hardware:
      'A store that waits in its buffer while the load goes ahead: a transmit queue or a disk that hangs until somebody else wakes it.',
    wrong: `driver_event->flags = ENABLE;
if (!is_used(ring[next].flags)) wait_for_interrupt();`,
    right: `driver_event->flags = ENABLE;
fence(w, r);
if (!is_used(ring[next].flags)) wait_for_interrupt();`,
  },
};
