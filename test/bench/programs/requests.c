/*
 * One request after another, each waited for by interrupt: sectors of a block device, or ARP requests that the network's gateway answers.
 * The ring is packed where the device offers that, else split. [virtio 1.4, 2.7, 2.8, 4.2, 5.1, 5.2]
 */

#include "board.h"
#include "io.h"
#include "virtio.h"

enum { NET_DEVICE_ID = 1 };
enum { RECEIVE = 0, TRANSMIT = 1, REQUEST = 0 };
enum { SIZE = 16 };
#define VIRTIO_NET_F_MAC (1ull << 5)
#define VIRTIO_F_RING_PACKED (1ull << 34)
enum { PACKED_AVAIL = 1 << 7, PACKED_USED = 1 << 15, EVENT_DISABLE = 1 };

struct packed_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id;
    uint16_t flags;
};
struct event_suppression {
    uint16_t desc;
    uint16_t flags;
};
struct split_avail {
    uint16_t flags, idx, ring[SIZE], used_event;
};
struct split_used {
    uint16_t flags, idx;
    struct virtq_used_elem ring[SIZE];
    uint16_t avail_event;
};

/* Only one chain of a queue is under way, so positions are all there is to know. */
struct queue {
    unsigned index;
    uint16_t published; /* split: chains so far; packed: descriptors so far */
    uint16_t taken;
    unsigned parts; /* descriptors of the chain under way */
    union {
        volatile struct virtq_desc split[SIZE];
        volatile struct packed_desc packed[SIZE];
    } desc __attribute__((aligned(16)));
    union {
        volatile struct split_avail split;
        volatile struct event_suppression packed;
    } driver __attribute__((aligned(16)));
    union {
        volatile struct split_used split;
        volatile struct event_suppression packed;
    } device __attribute__((aligned(16)));
};

struct part {
    const volatile void *address;
    uint32_t length;
    bool device_writes;
};

static uintptr_t base;
static unsigned interrupt;
static bool packed;
static struct queue queues[2];

static void write_address(uintptr_t low, const volatile void *address) {
    mmio_write32(base + low, (uint32_t)(uintptr_t)address);
    mmio_write32(base + low + 4, (uint32_t)((uint64_t)(uintptr_t)address >> 32));
}

static void start_queue(unsigned index) {
    struct queue *queue = &queues[index];
    queue->index = index;
    mmio_write32(base + QueueSel, index);
    if (mmio_read32(base + QueueReady) != 0 || mmio_read32(base + QueueSizeMax) < SIZE) {
        finish(3);
    }
    mmio_write32(base + QueueSize, SIZE);
    write_address(QueueDescLow, &queue->desc);
    write_address(QueueDriverLow, &queue->driver);
    write_address(QueueDeviceLow, &queue->device);
    fence(w, o);
    mmio_write32(base + QueueReady, 1);
}

static bool find(uint32_t device_id) {
    for (unsigned n = 0; n < VIRTIO_MMIO_SLOTS; n++) {
        base = VIRTIO_MMIO + n * VIRTIO_MMIO_STRIDE;
        interrupt = 1 + n;
        if (mmio_read32(base + MagicValue) == MAGIC && mmio_read32(base + Version) == 2 &&
            mmio_read32(base + DeviceID) == device_id) {
            return true;
        }
    }
    return false;
}

static void negotiate(uint64_t wanted) {
    uint32_t status = 0;
    mmio_write32(base + Status, status);
    while (mmio_read32(base + Status) != 0) {
    }
    mmio_write32(base + Status, status |= ACKNOWLEDGE);
    mmio_write32(base + Status, status |= DRIVER);
    mmio_write32(base + DeviceFeaturesSel, 0);
    uint64_t offered = mmio_read32(base + DeviceFeatures);
    mmio_write32(base + DeviceFeaturesSel, 1);
    offered |= (uint64_t)mmio_read32(base + DeviceFeatures) << 32;
    packed = offered & VIRTIO_F_RING_PACKED;
    uint64_t accepted = offered & (wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED);
    mmio_write32(base + DriverFeaturesSel, 0);
    mmio_write32(base + DriverFeatures, (uint32_t)accepted);
    mmio_write32(base + DriverFeaturesSel, 1);
    mmio_write32(base + DriverFeatures, (uint32_t)(accepted >> 32));
    mmio_write32(base + Status, status |= FEATURES_OK);
    if (!(mmio_read32(base + Status) & FEATURES_OK)) {
        finish(4);
    }
}

static void go(void) {
    mmio_write32(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    plic_enable(interrupt);
    /* Machine external interrupts end a wfi; none is ever taken. */
    __asm__ volatile("csrs mie, %0" ::"r"(1 << 11));
}

static uint16_t lap_flags(uint16_t position) { return position / SIZE % 2 == 0 ? PACKED_AVAIL : PACKED_USED; }

static void publish_packed(struct queue *queue, const struct part *parts, unsigned count) {
    uint16_t head = queue->published;
    uint16_t head_flags = 0;
    for (unsigned i = 0; i < count; i++) {
        uint16_t position = (uint16_t)(head + i);
        volatile struct packed_desc *desc = &queue->desc.packed[position % SIZE];
        uint16_t flags = (uint16_t)(lap_flags(position) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0) |
                                    (parts[i].device_writes ? VIRTQ_DESC_F_WRITE : 0));
        desc->addr = (uintptr_t)parts[i].address;
        desc->len = parts[i].length;
        desc->id = 0;
        if (i == 0) {
            head_flags = flags;
        } else {
            desc->flags = flags;
        }
    }
    fence(w, w);
    queue->desc.packed[head % SIZE].flags = head_flags;
    queue->published = (uint16_t)(head + count);
}

static void publish_split(struct queue *queue, const struct part *parts, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        queue->desc.split[i].addr = (uintptr_t)parts[i].address;
        queue->desc.split[i].len = parts[i].length;
        queue->desc.split[i].flags = (uint16_t)((i + 1 < count ? VIRTQ_DESC_F_NEXT : 0) |
                                                (parts[i].device_writes ? VIRTQ_DESC_F_WRITE : 0));
        queue->desc.split[i].next = (uint16_t)(i + 1);
    }
    queue->driver.split.ring[queue->published % SIZE] = 0;
    fence(w, w);
    queue->driver.split.idx = ++queue->published;
}

static void submit(struct queue *queue, const struct part *parts, unsigned count) {
    queue->parts = count;
    if (packed) {
        publish_packed(queue, parts, count);
    } else {
        publish_split(queue, parts, count);
    }
    fence(w, r);
    bool wanted = packed ? queue->device.packed.flags != EVENT_DISABLE
                         : !(queue->device.split.flags & VIRTQ_USED_F_NO_NOTIFY);
    if (wanted) {
        fence(w, o);
        mmio_write32(base + QueueNotify, queue->index);
    }
}

/* Takes the chain under way back once the device has used it. */
static bool take(struct queue *queue) {
    if (packed) {
        volatile struct packed_desc *desc = &queue->desc.packed[queue->taken % SIZE];
        uint16_t used = queue->taken / SIZE % 2 == 0 ? PACKED_AVAIL | PACKED_USED : 0;
        if ((desc->flags & (PACKED_AVAIL | PACKED_USED)) != used) {
            return false;
        }
        fence(r, r);
        (void)desc->id;
        (void)desc->len;
        queue->taken = (uint16_t)(queue->taken + queue->parts);
        return true;
    }
    if (queue->device.split.idx == queue->taken) {
        return false;
    }
    fence(r, r);
    (void)queue->device.split.ring[queue->taken % SIZE].id;
    (void)queue->device.split.ring[queue->taken % SIZE].len;
    queue->taken++;
    return true;
}

static void wait(struct queue *queue) {
    while (!take(queue)) {
        __asm__ volatile("wfi");
        unsigned source = plic_claim();
        if (source != 0) {
            mmio_write32(base + InterruptACK, mmio_read32(base + InterruptStatus));
            fence(o, r);
            plic_complete(source);
        }
    }
}

static uint64_t block_request(unsigned round) {
    static struct virtio_blk_req_header header;
    static char data[SECTOR_SIZE];
    static volatile uint8_t status;
    header = (struct virtio_blk_req_header){.type = VIRTIO_BLK_T_IN, .sector = round % 64};
    status = 0xff;
    const struct part parts[] = {{&header, sizeof header, false}, {data, sizeof data, true}, {&status, 1, true}};
    submit(&queues[REQUEST], parts, 3);
    wait(&queues[REQUEST]);
    if (status != VIRTIO_BLK_S_OK) {
        finish(5);
    }
    return (unsigned char)data[round % SECTOR_SIZE];
}

/* A header of twelve zeros, then who has 10.0.2.2, tell 10.0.2.15; the sender's address comes from the device. [RFC 826] */
enum { HEADER = 12, ADDRESS = 6 };
static uint8_t question[HEADER + 42] = {
    [HEADER] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
    0, 0, 0, 0, 0, 0, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

static void read_address(void) {
    for (unsigned i = 0; i < ADDRESS; i++) {
        uint8_t byte = mmio_read8(base + Config + i);
        question[HEADER + 6 + i] = question[HEADER + 22 + i] = byte;
    }
}

static uint64_t net_request(void) {
    static uint8_t packet[2048];
    const struct part room[] = {{packet, sizeof packet, true}};
    const struct part sent[] = {{question, sizeof question, false}};
    submit(&queues[RECEIVE], room, 1);
    submit(&queues[TRANSMIT], sent, 1);
    wait(&queues[TRANSMIT]);
    wait(&queues[RECEIVE]);
    /* The opcode of an answer, and the last byte of who answers. */
    return packet[HEADER + 21] * 256u + packet[HEADER + 31];
}

_Noreturn void main(void) {
    bool net = find(NET_DEVICE_ID);
    if (!net && !find(BLOCK_DEVICE_ID)) {
        finish(2);
    }
    negotiate(net ? VIRTIO_NET_F_MAC : 0);
    start_queue(0);
    if (net) {
        read_address();
        start_queue(1);
    }
    go();
    print("begin\n");
    uint64_t sum = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        sum = sum * 31 + (net ? net_request() : block_request(round));
    }
    print_decimal(sum);
    print("\n");
    finish(0);
}
