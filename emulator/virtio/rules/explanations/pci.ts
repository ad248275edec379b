// Explanations of the rules about virtio-pci and about the reset of one queue. [virtio 1.4, 2.6.1, 4.1]
// `common` points to the common configuration structure; `pci_read8` and its sisters access configuration space.
import type { ExplanationTable } from './explanation';

const enable = `common->queue_select = 0;
common->queue_size = size;
write64(&common->queue_desc, desc);
write64(&common->queue_driver, driver);
write64(&common->queue_device, device);
common->queue_enable = 1;`;

const walk = `for (at = pci_read8(PCI_CAPABILITIES); at != 0; at = pci_read8(at + 1)) {
    if (pci_read8(at) != PCI_CAP_VENDOR) continue;
    type = pci_read8(at + 3);
    if (type >= CFG_COMMON && type <= CFG_PCI && structure[type] == 0) structure[type] = at;
}`;

const reset = `common->device_status = 0;
while (common->device_status != 0) { }`;

export const pciExplanations: ExplanationTable = {
  'pci.field-width': {
    demanded:
      'Each field is accessed at the width it is declared with; the three 64-bit addresses as two 32-bit halves.',
    hardware:
      'Software devices decode by offset and often get away with it. A device in hardware decodes offset and byte enables together: a 32-bit store to queue_select also writes queue_size.',
    wrong: `volatile uint32_t *field = base + QUEUE_SELECT;
*field = 1; /* two fields of 16 bits */`,
    right: `volatile uint16_t *field = base + QUEUE_SELECT;
*field = 1;`,
  },
  'pci.read-only-field-written': {
    demanded: 'Fields through which the device speaks are not written.',
    hardware:
      'Nothing happens, on any device. What hurts is the write that did not happen: queue_notify_off stands beside queue_enable, and a structure that lost a member shifts one onto the other.',
    wrong: `common->queue_notify_off = 0; /* "all queues ring at the start" */`,
    right: `doorbell = notify + common->queue_notify_off * multiplier;`,
  },
  'pci.undefined-location': {
    demanded: 'Only places inside a structure that some capability describes are accessed.',
    hardware:
      'QEMU puts the four structures at 0, 0x1000, 0x2000 and 0x3000 of one BAR; drivers that hard-code this run there and nowhere else. Elsewhere the read gives all ones and the write is lost.',
    wrong: `isr = bar + 0x1000;`,
    right: `isr = bar[cap.bar] + cap.offset;`,
  },
  'pci.reserved-capability-used': {
    demanded: 'Capabilities with an unknown cfg_type are passed over.',
    hardware:
      'Devices are allowed to add capabilities, and do: shared memory regions and vendor data came after the first drivers were written. A driver that maps whatever it finds pokes at a cache window.',
    wrong: `structure[pci_read8(at + 3) & 7] = at;`,
    right: walk,
  },
  'pci.later-structure-used': {
    demanded: 'Of several structures of one type the first is used, unless the driver cannot map it.',
    hardware:
      'A device offers, say, a doorbell in memory first and one in I/O ports second. Taking the last one found costs an emulated port access for each notification.',
    wrong: `if (type == CFG_NOTIFY) notify = at; /* the last one wins */`,
    right: `if (type == CFG_NOTIFY && notify == 0) notify = at;`,
  },
  'pci.capability-written': {
    demanded: 'The capability list is read-only; the one exception is the access window, VIRTIO_PCI_CAP_PCI_CFG.',
    hardware:
      'Configuration space drops the write. The driver that moves a structure this way then talks to an address where nothing answers.',
    wrong: `pci_write8(at + 4, 2); /* "please use BAR 2" */`,
    right: `bar = pci_read8(at + 4);`,
  },
  'pci.vendor-data-unqualified': {
    demanded: 'Vendor data is written only after vendor_id of its capability was read and recognised.',
    hardware:
      'Two vendors give one byte two meanings. With a SmartNIC of another make the same driver may change its firmware slot instead of a debug level.',
    wrong: `pci_write32(at + 8, DEBUG_ON);`,
    right: `if (pci_read16(at + 4) == OUR_VENDOR) pci_write32(at + 8, DEBUG_ON);`,
  },
  'pci.window-misaligned': {
    demanded: 'The offset of the access window, cap.offset, is a multiple of its cap.length.',
    hardware:
      'Firmware that runs before the BARs are mapped goes through this window. QEMU rounds the offset down to the width, so that the driver reads a neighbour; others do nothing.',
    wrong: `pci_write32(window + 8, ISR_OFFSET + 2);
pci_write32(window + 12, 4);
value = pci_read32(window + 16);`,
    right: `pci_write32(window + 8, ISR_OFFSET);
pci_write32(window + 12, 1);
value = pci_read8(window + 16);`,
  },
  'pci.window-outside': {
    demanded: 'The access window is directed at places inside the structures that other capabilities name.',
    hardware:
      'Outside them a device may ignore the access, or show the MSI-X table, where a store redirects interrupts.',
    wrong: `pci_write8(window + 4, 0); /* always BAR 0 */
pci_write32(window + 8, 0);`,
    right: `pci_write8(window + 4, common_cap.bar);
pci_write32(window + 8, common_cap.offset + DEVICE_STATUS);`,
  },
  'pci.bus-master-off': {
    demanded: 'Before a device is to use queues it is allowed to access memory, by Bus Master Enable.',
    hardware:
      'Firmware often leaves the bit set for the boot device, so the driver works for the first disk and not for the second. VMMs that ignore the bit hide the mistake altogether; behind a real bridge every DMA is refused.',
    wrong: `pci_write16(PCI_COMMAND, MEMORY_SPACE);
common->device_status = status | DRIVER_OK;`,
    right: `pci_write16(PCI_COMMAND, MEMORY_SPACE | BUS_MASTER);
common->device_status = status | DRIVER_OK;`,
  },
  'pci.reset-not-read-back': {
    demanded: 'After 0 was written to device_status the driver waits until it reads 0.',
    hardware:
      'A VMM with its data path in another process, or a card with firmware, needs milliseconds. Until then it may still write into the old buffers, and forgets what is stored to it.',
    wrong: `common->device_status = 0;
common->device_status = ACKNOWLEDGE;`,
    right: `${reset}
common->device_status = ACKNOWLEDGE;`,
  },
  'pci.queue-enable-value': {
    demanded: 'The only value for queue_enable is 1.',
    hardware:
      'On virtio-mmio QueueReady takes 0, and code shared by both transports brings the habit along. QEMU calls it a guest error and marks the device broken; others keep the queue running on freed memory.',
    wrong: `common->queue_enable = 0;
free(rings);`,
    right: `${reset}
free(rings);`,
  },
  'pci.queue-not-configured': {
    demanded: 'Size and the three addresses of a queue are written before queue_enable.',
    hardware:
      'Between the two the device may already read descriptors at address 0 or at those of the queue’s last life. Emulators that latch the addresses at queue_enable keep the wrong ones for good.',
    wrong: `common->queue_enable = 1;
write64(&common->queue_desc, desc);`,
    right: enable,
  },
  'pci.queue-changed-while-enabled': {
    demanded: 'An enabled queue keeps its size, its addresses and its vector until it is reset.',
    hardware:
      'Devices copied these fields at queue_enable. The driver reads its new value back, since the register holds it, and still nobody looks at the new ring.',
    wrong: `common->queue_enable = 1;
common->queue_size = 64;`,
    right: `common->queue_size = 64;
common->queue_enable = 1;`,
  },
  'pci.packed-queue-size-zero': {
    demanded: 'A packed queue has at least one entry.',
    hardware: 'A modulo by zero in the device, or in the driver itself the first time it advances its slot.',
    wrong: `common->queue_size = wanted; /* 0: the option was not set */`,
    right: `maximum = common->queue_size;
common->queue_size = wanted != 0 && wanted < maximum ? wanted : maximum;`,
  },
  'pci.vector-out-of-range': {
    demanded: 'Events are mapped to entries that the MSI-X table has, or to none.',
    hardware:
      'Cloud machines give a device with eight queues three vectors as readily as nine. The mapping fails without a sound and the queue goes on without interrupts.',
    wrong: `common->queue_msix_vector = 1 + queue;`,
    right: `vectors = (pci_read16(msix + 2) & 0x7ff) + 1;
common->queue_msix_vector = vectors > 1 ? 1 + queue % (vectors - 1) : 0;`,
  },
  'pci.vector-not-read-back': {
    demanded: 'After a vector was written the field is read: NO_VECTOR says that the device could not map it.',
    hardware:
      'A host that runs out of interrupt routes refuses. It happens on the crowded machine and not on the developer’s, and looks like a lost interrupt.',
    wrong: `common->queue_msix_vector = vector;
enable_queue(queue);`,
    right: `common->queue_msix_vector = vector;
if (common->queue_msix_vector == NO_VECTOR) return use_one_vector();
enable_queue(queue);`,
  },
  'pci.isr-read-with-msix': {
    demanded: 'With MSI-X the handler learns the cause from its vector and leaves the ISR status alone.',
    hardware:
      'Data paths outside the VMM, such as vhost, raise the vector and never touch the ISR status: a handler that insists on the bit finds no work. Where it is set, reading it is one more trap to the host for each interrupt.',
    wrong: `if (*isr & 1) drain_used_ring();`,
    right: `void queue_vector(struct queue *queue)
{
    drain_used_ring(queue);
}`,
  },
  'pci.isr-not-read': {
    demanded: 'With INTx the handler reads the ISR status, which also takes the wire down.',
    hardware:
      'INTx is level-triggered and shared by up to four slots. An unread status keeps the wire up: an interrupt storm, or silence for every device on it once the controller masks the source.',
    wrong: `void interrupt(void)
{
    drain_used_ring();
}`,
    right: `void interrupt(void)
{
    uint8_t bits = *isr; /* one read: it clears */
    if (bits & 1) drain_used_ring();
    if (bits & 2) read_configuration();
}`,
  },
  'pci.notify-width': {
    demanded: 'A notification is one 16-bit store, or one 32-bit store with VIRTIO_F_NOTIFICATION_DATA.',
    hardware:
      'Hosts that hand the doorbell to the kernel, as KVM’s ioeventfd does, can match on address and width: other widths take a slow path or none. Hardware doorbells decode the width.',
    wrong: `*(volatile uint8_t *)doorbell = queue;`,
    right: `*(volatile uint16_t *)doorbell = queue;`,
  },
  'pci.notify-value': {
    demanded: 'The value of a notification is the index of the queue, at the address that belongs to this queue.',
    hardware:
      'With a multiplier of 4 each queue has an address of its own, and QEMU looks at nothing else. With a multiplier of 0 all share one, and the value decides which queue wakes.',
    wrong: `*(volatile uint16_t *)(notify + queue * multiplier) = 0;`,
    right: `common->queue_select = queue;
offset = common->queue_notify_off * multiplier;
*(volatile uint16_t *)(notify + offset) = queue;`,
  },
  'queue.reset-not-read-back': {
    demanded: 'After 1 was written to the reset of a queue, the driver waits until it reads 0.',
    hardware:
      'The device has to end transfers that are under way. A card may take as long as a packet takes on the wire; memory given to somebody else meanwhile is still written.',
    wrong: `write32(QueueReset, 1);
free(rings);`,
    right: `write32(QueueReset, 1);
while (read32(QueueReset) != 0) { }
free(rings);`,
  },
  'queue.reset-not-configured': {
    demanded: 'A queue that was reset is set up from the beginning before it is enabled again.',
    hardware:
      'The reset brings back the values of power-on: largest size, addresses of 0. Implementations that happen to keep the addresses let the driver pass.',
    wrong: `write32(QueueReset, 1);
while (read32(QueueReset) != 0) { }
write32(QueueReady, 1);`,
    right: `write32(QueueReset, 1);
while (read32(QueueReset) != 0) { }
write32(QueueSize, size);
write_addresses(desc, driver, device);
write32(QueueReady, 1);`,
  },
};
