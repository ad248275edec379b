// Explanations of the rules about taking used buffers back, about whose their bytes are, and about sleeping over a packed ring. [virtio 1.4, 2.7.8, 2.7.14, 2.8.14, 2.8.22]
import type { ExplanationTable } from './explanation';

const take = `while (last_used != used->idx) {
    fence(r, r);
    element = &used->ring[last_used++ % size];
    complete(element->id, element->len);
}`;

export const consumptionExplanations: ExplanationTable = {
  'consumption.id-not-loaded': {
    demanded: 'What comes back is named by the id of its used entry; its place in the used ring says nothing about it.',
    hardware:
      'An emulator that serves one request after the other hides the mistake. Disks with several queues or threads, and network back ends with zero copy, give buffers back in any order.',
    wrong: `while (last_used != used->idx) {
    complete(oldest_request());
    last_used++;
}`,
    right: take,
  },
  'consumption.length-not-loaded': {
    demanded: 'Only the bytes up to the length of the used entry were written by the device; the rest means nothing.',
    hardware:
      'The data looks right with a trailer of old bytes, so it passes many tests. It leaks what was in the memory before, and breaks protocols that count bytes.',
    wrong: `deliver(buffer[element->id], desc[element->id].len);`,
    right: `deliver(buffer[element->id], element->len);`,
  },
  'consumption.out-of-step': {
    demanded:
      'The entry with number n stands in slot n modulo the queue size, and entries are taken one after the other.',
    hardware:
      'The first lap of the ring often works by luck, as memory is zero and head 0 is a valid answer. Then requests are completed twice or never.',
    wrong: `element = &used->ring[used->idx % size];`,
    right: take,
  },
  'consumption.entries-left': {
    demanded: 'A driver takes entries until its own count equals the used index, which wraps at 65536.',
    hardware:
      'It takes 65536 buffers until it shows: the device works for hours, then its driver goes deaf. With packed rings it takes one lap.',
    wrong: `for (; last_used < used->idx; last_used++) take(last_used);`,
    right: take,
  },
  'waiting.packed-interrupts-left-off': {
    demanded: 'Who waits for an interrupt has to have asked for one in the driver event suppression structure.',
    hardware:
      'The driver sleeps for ever, or until some other traffic wakes it: a request that takes seconds under light load.',
    wrong: `driver_event->flags = DISABLE;
wait_for_interrupt();`,
    right: `driver_event->flags = ENABLE;
fence(w, r);
if (!is_used(&ring[next_used])) wait_for_interrupt();`,
  },
  'waiting.packed-event-stale': {
    demanded:
      'The place in the driver event suppression structure is that of the next used descriptor, with its wrap counter.',
    hardware:
      'Interrupts come for the first lap only, or for every other one. Devices that ignore the place and always interrupt hide it.',
    wrong: `driver_event->desc = next_used % size;
driver_event->flags = DESC;`,
    right: `driver_event->desc = next_used % size | used_wrap << 15;
fence(w, w);
driver_event->flags = DESC;`,
  },
  'ownership.buffer-overlap': {
    demanded: 'Bytes that a device writes belong to one chain at a time, and never to a ring.',
    hardware:
      'Two answers land in one buffer, and the later one wins. A receive buffer in the memory of a queue that was freed too early turns a packet into descriptors.',
    wrong: `buffer = &pool[slot_of(element)]; /* the device still has that one */
post(buffer);`,
    right: `buffer = buffer_of(element->id);
post(buffer);`,
  },
  'ownership.buffer-stored': {
    demanded: 'Between the publish and its used entry the driver stores nothing to the buffers of a chain.',
    hardware:
      'A device that works at once has its answer wiped out by the late store; one that takes its time reads the new request under the old header.',
    wrong: `publish(head);
request->status = 0xff;`,
    right: `request->status = 0xff;
publish(head);`,
  },
  'ownership.buffer-read-early': {
    demanded: 'A device-writable buffer is loaded when its used entry was seen, and behind a fence.',
    hardware:
      'Emulators often write data, status and used entry in one go. Hardware writes them in any order, and a retry may write the data twice.',
    wrong: `while (request->status == 0xff);
consume(request->data);`,
    right: `while (used->idx == last_used);
fence(r, r);
consume(request->data);`,
  },
  'ownership.read-beyond-length': {
    demanded: 'Nothing is assumed of the bytes behind the used length.',
    hardware:
      'Memory that was zero hides it for as long as buffers are fresh. Later, packets end in pieces of older ones.',
    wrong: `memcpy(packet, buffer, buffer_size);`,
    right: `memcpy(packet, buffer, element->len);`,
  },
};
