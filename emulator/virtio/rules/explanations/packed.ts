// Explanations of the rules about packed rings. [virtio 1.4, 2.8]
// `wrap` is the driver's wrap counter, true at first; `mark(wrap)` gives AVAIL for true and USED for false.
import type { ExplanationTable } from './explanation';

const mark = `flags |= wrap ? AVAIL : USED;
ring[slot].flags = flags;
if (++slot == size) { slot = 0; wrap = !wrap; }`;

const table = `for (i = 0; i < count; i++) {
    table[i].addr = piece[i].physical;
    table[i].len = piece[i].length;
    table[i].flags = piece[i].for_device ? 0 : WRITE;
}`;

const list = `for (i = 1; i < count; i++) ring[at(i)] = element(i);
fence(w, w);
ring[at(0)].flags = NEXT | mark(wrap);`;

export const packedExplanations: ExplanationTable = {
  'packed.misaligned': {
    demanded: 'The descriptor ring is aligned to 16 bytes, both event suppression structures to 4.',
    hardware:
      'Hardware fetches descriptors as whole 16-byte words and drops the low address bits: it reads half of one descriptor and half of the next.',
    wrong: `driver_area = ring + 16 * size + 2;`,
    right: `driver_area = ring + 16 * size;
device_area = driver_area + 4;`,
  },
  'packed.not-zeroed': {
    demanded:
      'The ring and the device area hold zeroes when the queue is enabled, so that every slot is neither available nor used.',
    hardware:
      'Fresh pages of an emulator are zero and the first start works. After a reboot from one kernel into the next the old flags are still there, half of them right for the new lap.',
    wrong: `ring = allocate(bytes);
enable_queue(ring);`,
    right: `ring = allocate(bytes);
memset(ring, 0, bytes);
slot = 0; wrap = true;
enable_queue(ring);`,
  },
  'packed.flags-wrong-lap': {
    demanded: 'A descriptor is available when AVAIL equals the wrap counter of its own slot and USED is the inverse.',
    hardware:
      'The first lap always works. At the second the device finds flags of the lap before and waits, with any device: the request after the last slot hangs.',
    wrong: `ring[slot].flags = AVAIL; /* in every lap */
slot = (slot + 1) % size;`,
    right: mark,
  },
  'packed.list-too-long': {
    demanded: 'A list occupies at most as many slots as the ring has.',
    hardware:
      'The list runs into its own head. Careful devices count and give up, others turn in the ring for ever; a host thread at 100 % is the only sign.',
    wrong: `for (i = 0; i < count; i++) ring[at(i)].flags = NEXT | mark(wrap_at(i));`,
    right: `if (count > size) return -E2BIG;
for (i = 0; i < count; i++)
    ring[at(i)].flags = (i + 1 < count ? NEXT : 0) | mark(wrap_at(i));`,
  },
  'packed.no-space': {
    demanded: 'A list goes only into slots whose used descriptors the driver has seen.',
    hardware:
      'A packed ring has one place for both directions: the driver overwrites a descriptor that the device still needs, or the used descriptor that it has not read itself. It takes load to get there.',
    wrong: `add(request); /* the ring is large enough */`,
    right: `while (free_slots < request->count) collect_used();
free_slots -= request->count;
add(request);`,
  },
  'packed.head-before-tail': {
    demanded: 'The flags of a list’s first descriptor are stored after everything else in the list.',
    hardware:
      'A device that polls takes the list the moment the head is available. On one hart of an emulator nothing can come between; with vhost on another processor it does.',
    wrong: `for (i = 0; i < count; i++) ring[at(i)] = element(i); /* the head goes first */`,
    right: list,
  },
  'packed.readable-after-writable': {
    demanded: 'In a list, what the device reads stands in front of what it writes.',
    hardware:
      'QEMU breaks the device. Others cut the list at the first writable element: a command whose data comes behind its status is a command without data.',
    wrong: `add(header, 0);
add(status, WRITE);
add(data, 0);`,
    right: `add(header, 0);
add(data, 0);
add(status, WRITE);`,
  },
  'packed.indirect-not-negotiated': {
    demanded: 'VIRTQ_DESC_F_INDIRECT is set only when VIRTIO_F_INDIRECT_DESC was negotiated.',
    hardware:
      'The device sends the table itself: a disk writes its 16-byte descriptors to the medium, a network card puts them on the wire, physical addresses included.',
    wrong: `ring[slot].flags = INDIRECT | mark(wrap);`,
    right: `if (accepted & F_INDIRECT_DESC) add_table(request);
else add_list(request);`,
  },
  'packed.indirect-entry-flags': {
    demanded: 'Entries of a table carry VIRTQ_DESC_F_WRITE or nothing.',
    hardware:
      'Code taken over from split rings sets NEXT in each entry. Lenient devices mask it; one that checks refuses the request, and so will the one that gives the bit a meaning.',
    wrong: `table[i].flags = NEXT | (piece[i].for_device ? 0 : WRITE);`,
    right: table,
  },
  'packed.indirect-in-list': {
    demanded: 'A descriptor that names a table is a request of its own: no NEXT, before it or on it.',
    hardware:
      'Implementations differ: some follow the list and take the table for data, some stop there, some break the device.',
    wrong: `ring[at(0)].flags = NEXT | mark(wrap);
ring[at(1)].flags = INDIRECT | mark(wrap);`,
    right: `${table}
ring[slot].flags = INDIRECT | mark(wrap);`,
  },
  'packed.indirect-length': {
    demanded: 'The length of a table is its size in bytes: 16 for each entry, at least 16.',
    hardware:
      'QEMU marks the device broken for an odd length; a table of 16 entries whose length is a count is a table of one.',
    wrong: `ring[slot].len = count;`,
    right: `ring[slot].len = count * sizeof(struct pvirtq_desc);`,
  },
  'packed.buffer-outside-memory': {
    demanded: 'Every address is one that the device can reach: guest-physical, with all its bytes inside memory.',
    hardware:
      'A kernel that maps memory one to one sees no difference between virtual and physical until it moves to the upper half. QEMU then breaks the device; an IOMMU reports a fault; bare hardware writes somewhere.',
    wrong: `ring[slot].addr = (uint64_t)(uintptr_t)buffer;`,
    right: `ring[slot].addr = to_physical(buffer);`,
  },
  'packed.zero-length': {
    demanded: 'Each element describes at least one byte.',
    hardware:
      'QEMU gives the whole device up at an empty descriptor, vhost-user back ends drop the request. It comes from an empty payload that nobody thought of.',
    wrong: `add(request->data, request->length); /* 0 for a flush */`,
    right: `if (request->length > 0) add(request->data, request->length);`,
  },
  'packed.above-device-limit': {
    demanded:
      'A request has at most as many elements as the device says it takes, which may be fewer than the ring has slots.',
    hardware:
      'Devices size a list on their stack by seg_max. VMMs usually fail the request; a device in firmware may end the transfer after the last element it has room for.',
    wrong: `add_list(request); /* as many pages as the file system gave */`,
    right: `if (request->count > seg_max + 2) return split(request);
add_list(request);`,
  },
  'packed.buffer-id-in-use': {
    demanded: 'A buffer id stays unique until its used descriptor was seen.',
    hardware:
      'With completions in order the mistake does not show. A device that finishes the second request first makes the driver complete the first, whose data has not arrived.',
    wrong: `ring[slot].id = slot; /* the list before may have used it */`,
    right: `id = pop(free_ids);
ring[slot].id = id;`,
  },
  'ownership.packed-descriptor-changed': {
    demanded: 'Available descriptors stay untouched until a used descriptor gave their slots back.',
    hardware:
      'The device may have read half of the descriptor, or be about to write its used descriptor on the same 16 bytes: both stores win in part.',
    wrong: `ring[slot].len = longer; /* already available */`,
    right: `ring[slot].len = longer;
fence(w, w);
ring[slot].flags = mark(wrap);`,
  },
  'packed.device-area-written': {
    demanded: 'The device event suppression structure is written by the device alone.',
    hardware:
      'The driver answers its own question: it reads back that no notification is wanted, and the device sleeps. A device that rewrites the field at each turn hides it.',
    wrong: `device_area->flags = EVENT_DISABLE; /* no interrupts, please */`,
    right: `driver_area->flags = EVENT_DISABLE;`,
  },
  'packed.event-flags': {
    demanded: 'Flags of the driver area are 0, 1, or with VIRTIO_F_EVENT_IDX 2.',
    hardware:
      'Without the feature a device reads 2 as on or as off, as its author pleased. 3 is reserved, and QEMU and DPDK do not agree about it.',
    wrong: `driver_area->flags = EVENT_DESC; /* whatever was negotiated */`,
    right: `driver_area->flags = accepted & F_EVENT_IDX ? EVENT_DESC : EVENT_ENABLE;`,
  },
  'packed.event-offset': {
    demanded: 'The slot in desc is below the queue size, and bit 15 holds the wrap counter of its lap.',
    hardware:
      'A free-running counter is right until the first wrap. Then the slot never comes, no device interrupts, and the driver sleeps until a timeout.',
    wrong: `driver_area->desc = next_used + batch;`,
    right: `at = next_used + batch;
lap = at < size ? used_wrap : !used_wrap;
driver_area->desc = (at % size) | (lap << 15);`,
  },
  'packed.published-unseen': {
    demanded: 'Slots are filled one after the other, each with the flags of its lap.',
    hardware:
      'The device looks at one slot and nowhere else. What lies further on is not found by any of them: the queue stands still from that moment.',
    wrong: `slot = pop(free_slots); /* any free one */
ring[slot].flags = mark(wrap);`,
    right: mark,
  },
};
