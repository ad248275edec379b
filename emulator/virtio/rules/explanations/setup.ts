// Explanations of the rules about registers, the configuration space and queue set-up. [virtio 1.4, 2.5, 2.7, 4.2.2, 4.2.3.2]
import type { ExplanationTable } from './explanation';

const setUp = `write32(QueueSel, 0);
if (read32(QueueReady) != 0) return;
max = read32(QueueSizeMax);
write32(QueueSize, max < 64 ? max : 64);
write_addresses(desc, avail, used);
write32(QueueReady, 1);`;

export const setupExplanations: ExplanationTable = {
  'register.undefined': {
    demanded: 'Only the registers of the layout are accessed.',
    hardware: 'A read gives anything, a write does anything; on hardware the access may trap.',
    wrong: `write32(0x028, 4096); /* GuestPageSize of version 1 */`,
    right: `/* version 2 has no page size: it takes addresses */
write32(QueueDescLow, desc);`,
  },
  'register.read-only-written': {
    demanded: 'Registers that only the device sets are not written.',
    hardware: 'The write is lost, and what it was meant for does not happen.',
    wrong: `write32(InterruptStatus, 0);`,
    right: `write32(InterruptACK, read32(InterruptStatus));`,
  },
  'register.write-only-read': {
    demanded: 'Registers that only the driver sets are not read.',
    hardware: 'The value is whatever the device leaves there, mostly 0.',
    wrong: `write32(QueueSel, read32(QueueSel) + 1);`,
    right: `write32(QueueSel, ++selected);`,
  },
  'register.width': {
    demanded: 'Control registers are accessed by aligned loads and stores of 32 bits.',
    hardware: 'Emulators drop other widths; on a bus a 64-bit access may be split, or touch the neighbour.',
    wrong: `*(volatile uint64_t *)(base + QueueDescLow) = desc;`,
    right: `write32(QueueDescLow, (uint32_t)desc);
write32(QueueDescHigh, (uint32_t)(desc >> 32));`,
  },
  'register.shared-memory': {
    demanded: 'The shared memory registers are for devices that have shared memory.',
    hardware: 'They read as all ones; a driver that believes the length maps everything.',
    wrong: `length = read32(SHMLenLow);`,
    right: `if (device_id == DEVICE_FILE_SYSTEM) length = read32(SHMLenLow); /* has such memory */`,
  },
  'register.queue-reset-not-negotiated': {
    demanded: 'QueueReset is used only after VIRTIO_F_RING_RESET was negotiated.',
    hardware: 'The queue goes on, and memory that the driver takes back is still written.',
    wrong: `write32(QueueReset, 1);
free(queue);`,
    right: `write32(Status, 0);
while (read32(Status) != 0) { }
free(queue);`,
  },
  'config.beyond-end': {
    demanded: 'Only bytes that the device type describes are accessed.',
    hardware: 'Beyond the end a device gives all ones, zeroes, or a fault.',
    wrong: `for (i = 0; i < 256; i++) copy[i] = config[i];`,
    right: `capacity = read_config64(0);`,
  },
  'config.width': {
    demanded: 'Each field is accessed at its own width, 64-bit fields as two halves.',
    hardware: 'Devices that decode by field see no field at all, and give 0 or a part of another one.',
    wrong: `capacity = *(volatile uint64_t *)config;`,
    right: `low = config32[0];
high = config32[1];`,
  },
  'config.read-only-field': {
    demanded: 'Only fields that are marked so are written by the driver.',
    hardware: 'The write is ignored, or taken for another field by an old device.',
    wrong: `write_config64(CAPACITY, 2048);`,
    right: `capacity = read_config64(CAPACITY);`,
  },
  'config.gated-field': {
    demanded: 'A field that belongs to a feature is accessed only when that feature is offered.',
    hardware: 'Devices without it leave 0 or garbage there: a block size of 0 divides by zero.',
    wrong: `block = read_config32(BLK_SIZE);`,
    right: `block = offered & BLK_F_BLK_SIZE ? read_config32(BLK_SIZE) : 512;`,
  },
  'config.wide-read-unguarded': {
    demanded: 'Fields wider than 32 bits are read between two equal reads of ConfigGeneration.',
    hardware: 'A disk that grows across 2 TiB between the two loads has, for once, no size or a huge one.',
    wrong: `low = read_config32(0);
high = read_config32(4);`,
    right: `do {
    generation = read32(ConfigGeneration);
    low = read_config32(0);
    high = read_config32(4);
} while (read32(ConfigGeneration) != generation);`,
  },
  'config.generation-ignored': {
    demanded: 'When ConfigGeneration changed during the reads they are done again.',
    hardware: 'The values belong to two states of the device.',
    wrong: `before = read32(ConfigGeneration);
capacity = read_halves(0);
after = read32(ConfigGeneration);
use(capacity);`,
    right: `do {
    before = read32(ConfigGeneration);
    capacity = read_halves(0);
} while (read32(ConfigGeneration) != before);`,
  },
  'queue.not-available': {
    demanded: 'A QueueSizeMax of 0 says that there is no such queue.',
    hardware: 'Writes are ignored, and the driver waits on a queue that nobody serves.',
    wrong: `write32(QueueSel, 3);
write32(QueueSize, 64);`,
    right: `write32(QueueSel, 3);
if (read32(QueueSizeMax) == 0) return;`,
  },
  'queue.size-above-maximum': {
    demanded: 'QueueSize is at most QueueSizeMax of that queue.',
    hardware: 'Devices clamp or ignore the value: the used ring lies elsewhere than the driver thinks.',
    wrong: `write32(QueueSize, 512);`,
    right: setUp,
  },
  'queue.size-not-power-of-two': {
    demanded: 'The size of a split queue is a power of two, at most 32768.',
    hardware: 'When the 16-bit index wraps, the slot jumps; a day later requests are lost.',
    wrong: `write32(QueueSize, 100);`,
    right: `write32(QueueSize, 64);`,
  },
  'queue.size-maximum-not-read': {
    demanded: 'The driver asks each queue for its limit before it chooses a size.',
    hardware: 'Queues of one device differ; so do versions of one emulator.',
    wrong: `max = read32(QueueSizeMax);
write32(QueueSel, 1);
write32(QueueSize, max);`,
    right: `write32(QueueSel, 1);
max = read32(QueueSizeMax);
write32(QueueSize, max);`,
  },
  'queue.changed-while-ready': {
    demanded: 'Size and addresses are left alone while QueueReady is not 0.',
    hardware: 'Emulators ignore the write; the driver goes on with rings that the device never sees.',
    wrong: `write32(QueueReady, 1);
write32(QueueSize, 32);`,
    right: `write32(QueueSize, 32);
write32(QueueReady, 1);`,
  },
  'queue.not-configured': {
    demanded: 'Size and all three addresses are written before the queue is enabled.',
    hardware: 'The device takes what the registers held before: address 0, or the rings of earlier software.',
    wrong: `write32(QueueDescLow, desc);
write32(QueueReady, 1);`,
    right: setUp,
  },
  'queue.misaligned': {
    demanded: 'Descriptor table, available ring and used ring are aligned to 16, 2 and 4 bytes.',
    hardware: 'Hardware reads whole entries and sees shifted ones; emulators refuse the queue.',
    wrong: `used = avail + 6 + 2 * size;`,
    right: `used = (avail + 6 + 2 * size + 3) & ~3;`,
  },
  'queue.area-outside-memory': {
    demanded: 'The addresses are physical and lie in memory that the device can reach.',
    hardware: 'Virtual addresses point nowhere, or to somebody else’s memory.',
    wrong: `write32(QueueDescLow, (uint32_t)(uintptr_t)desc);`,
    right: `uint64_t physical = to_physical(desc);
write32(QueueDescLow, (uint32_t)physical);
write32(QueueDescHigh, (uint32_t)(physical >> 32));`,
  },
  'queue.areas-overlap': {
    demanded: 'Each part of a queue has memory of its own, of its full length.',
    hardware: 'Used entries overwrite descriptors; it shows when the ring is full for the first time.',
    wrong: `used = avail + 4 + 2 * size; /* used_event forgotten */`,
    right: `used = align4(avail + 6 + 2 * size);`,
  },
  'queue.used-flags-not-zero': {
    demanded: 'The used ring is cleared before the queue is enabled.',
    hardware: 'With leftovers in the flags the driver believes that the device wants no notification.',
    wrong: `ring = allocate(bytes);
enable_queue(ring);`,
    right: `ring = allocate(bytes);
memset(ring, 0, bytes);
enable_queue(ring);`,
  },
  'queue.index-not-zero': {
    demanded: 'Both sides begin at index 0, so the indices in memory are 0 when the queue is enabled.',
    hardware: 'After a second initialisation the driver sees completions of its former life.',
    wrong: `write32(Status, 0);
/* same rings, not cleared */
enable_queue(ring);`,
    right: `write32(Status, 0);
while (read32(Status) != 0) { }
memset(ring, 0, bytes);
last_used = avail_index = 0;
enable_queue(ring);`,
  },
  'queue.ready-value': {
    demanded: 'QueueReady takes 1 to enable and 0 to stop.',
    hardware: 'Devices differ in what they make of other values.',
    wrong: `write32(QueueReady, size);`,
    right: `write32(QueueReady, 1);`,
  },
  'queue.stop-not-read-back': {
    demanded: 'After 0 was written to QueueReady, it is read back before the queue is touched again.',
    hardware: 'A device in another thread or in hardware may still be writing into the old rings.',
    wrong: `write32(QueueReady, 0);
write32(QueueSize, 8);`,
    right: `write32(QueueReady, 0);
while (read32(QueueReady) != 0) { }
write32(QueueSize, 8);`,
  },
  'queue.stopped-in-flight': {
    demanded: 'Buffers that the device holds are taken back by a reset only.',
    hardware: 'The disk read that was under way lands in memory that has a new owner.',
    wrong: `write32(QueueReady, 0);
free(buffers);`,
    right: `while (in_flight > 0) collect();
write32(QueueReady, 0);
while (read32(QueueReady) != 0) { }`,
  },
};
