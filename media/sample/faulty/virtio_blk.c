/* A virtio block device: requests, their descriptor chains, and their completion. [virtio 1.4, 5.2]
 * Part of the faulty driver: some lines here break the specification. ANSWERS.md says which. */

#include "virtio_blk.h"

#include "board.h"
#include "io.h"
#include "virtio_mmio.h"

enum { REQUEST_QUEUE = 0 };
enum { CAPACITY = 0 };                           /* offset in the configuration space */
enum { STATUS_NOT_WRITTEN = 0xff };              /* no status of 5.2.6 has this value */
enum { HEADER_DATA_STATUS = 3, HEADER_STATUS = 2 }; /* descriptors of a request with and without data */

/* What a request needs until the device has answered. It is found by the head of its chain. */
struct request {
    struct virtio_blk_req_header header;
    volatile uint8_t status;
    bool in_flight;
    uint32_t writable; /* bytes the device has to write */
    struct virtq_desc indirect[HEADER_DATA_STATUS] __attribute__((aligned(16)));
};

static uintptr_t base;
static uint64_t features;
static uint64_t capacity;
static struct virtqueue queue;
static struct request requests[QUEUE_SIZE];
static unsigned in_flight;
static unsigned failures;
static volatile bool something_completed;

/* 2.7.13.1: describes the request's parts. All that the device reads comes before all that it writes (2.7.4.2). */
static unsigned describe(struct request *request, void *data, uint32_t length, struct virtq_desc *parts) {
    bool device_writes_data = request->header.type != VIRTIO_BLK_T_OUT;
    unsigned count = 0;
    parts[count++] = (struct virtq_desc){.addr = (uintptr_t)&request->header, .len = sizeof request->header};
    if (length != 0) {
        parts[count++] = (struct virtq_desc){
            .addr = (uintptr_t)data, .len = length, .flags = device_writes_data ? VIRTQ_DESC_F_WRITE : 0};
    }
    parts[count++] = (struct virtq_desc){.addr = (uintptr_t)&request->status, .len = 1, .flags = VIRTQ_DESC_F_WRITE};
    return count;
}

/* The parts as a chain of descriptors of the queue; their links come from the free list. Returns the last one. */
static uint16_t fill_chain(uint16_t head, const struct virtq_desc *parts, unsigned count) {
    uint16_t descriptor = head;
    for (unsigned i = 0;; i++) {
        bool last = i + 1 == count;
        queue.desc[descriptor].addr = parts[i].addr;
        queue.desc[descriptor].len = parts[i].len;
        queue.desc[descriptor].flags = parts[i].flags | (last ? 0 : VIRTQ_DESC_F_NEXT);
        if (last) {
            return descriptor;
        }
        descriptor = queue.desc[descriptor].next;
    }
}

/* 2.7.5.3: the parts as a table of their own, to which a single descriptor of the queue points. */
static void fill_indirect(uint16_t head, struct virtq_desc *table, const struct virtq_desc *parts, unsigned count) {
    for (uint16_t i = 0; i < count; i++) {
        bool last = i + 1u == count;
        table[i] = parts[i];
        table[i].flags |= last ? 0 : VIRTQ_DESC_F_NEXT;
        table[i].next = last ? 0 : (uint16_t)(i + 1);
    }
    queue.desc[head].addr = (uintptr_t)table;
    queue.desc[head].len = count * (uint32_t)sizeof table[0];
    queue.desc[head].flags = VIRTQ_DESC_F_INDIRECT;
}

/* Publishes one request and tells the device; false if the queue has no room for it now. */
static bool submit(uint32_t type, uint64_t sector, void *data, uint32_t length) {
    uint16_t needed = length != 0 ? HEADER_DATA_STATUS : HEADER_STATUS;
    bool indirect = false;
    uint16_t head = virtqueue_allocate(&queue, needed);
    if (head == NO_DESCRIPTOR) {
        indirect = true;
        head = virtqueue_allocate(&queue, 1);
    }
    if (head == NO_DESCRIPTOR) {
        return false;
    }

    struct request *request = &requests[head];
    request->header = (struct virtio_blk_req_header){.type = type, .sector = sector};
    request->status = STATUS_NOT_WRITTEN;
    request->in_flight = true;
    request->writable = 1 + (type == VIRTIO_BLK_T_OUT ? 0 : length);

    struct virtq_desc parts[HEADER_DATA_STATUS];
    unsigned count = describe(request, data, length, parts);
    uint16_t last = head;
    if (indirect) {
        fill_indirect(head, request->indirect, parts, count);
    } else {
        last = fill_chain(head, parts, count);
    }
    in_flight++;
    virtqueue_publish(&queue, head);
    virtqueue_notify(&queue);

    /* The link that the free list left in the last descriptor leads nowhere now. */
    queue.desc[last].next = 0;
    return true;
}

static void complete(const struct virtq_used_elem *entry) {
    if (entry->id >= QUEUE_SIZE || !requests[entry->id].in_flight) {
        failures++;
        return;
    }
    struct request *request = &requests[entry->id];
    /* 2.7.8.3: beyond len the buffer holds nothing that may be relied on, the status byte included. */
    if (entry->len < request->writable || request->status != VIRTIO_BLK_S_OK) {
        failures++;
    }
    request->in_flight = false;
    virtqueue_free(&queue, (uint16_t)entry->id);
    in_flight--;
    something_completed = true;
}

static void take_completions(void) {
    struct virtq_used_elem entry;
    while (virtqueue_take_used(&queue, &entry)) {
        complete(&entry);
    }
}

static void interrupt(void) {
    uint32_t events = virtio_mmio_interrupt_status(base);
    take_completions();
    virtio_mmio_interrupt_acknowledge(base, events);
    /* What the device finished before the acknowledgement raises no further interrupt: look once more. */
    take_completions();
}

static void wait_for_completion(void) {
    something_completed = false;
    wait_until(&something_completed);
}

/* One request for each `step` bytes of data, as many in flight as the queue holds; waits for all of them. */
static bool perform(uint32_t type, uint64_t sector, unsigned count, char *data, uint32_t step) {
    failures = 0;
    for (unsigned i = 0; i < count; i++) {
        while (!submit(type, sector + i, data + i * step, step)) {
            wait_for_completion();
        }
    }
    while (in_flight != 0) {
        wait_for_completion();
    }
    return failures == 0;
}

static bool within_capacity(uint64_t sector, unsigned sectors) {
    return sector <= capacity && sectors <= capacity - sector;
}

bool virtio_blk_start(void) {
    unsigned slot;
    base = virtio_mmio_find(BLOCK_DEVICE_ID, &slot);
    if (base == 0) {
        return false;
    }
    uint64_t known = VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_MQ;
    bool usable = virtio_mmio_negotiate(base, known, &features) && features & VIRTIO_F_VERSION_1;
    if (usable) {
        virtqueue_initialise(&queue, base, REQUEST_QUEUE, features & VIRTIO_F_EVENT_IDX);
        usable = virtio_mmio_setup_queue(base, &queue);
    }
    if (!usable) {
        virtio_mmio_failed(base);
        return false;
    }
    capacity = virtio_mmio_config64(base, CAPACITY);
    set_interrupt_handler(1 + slot, interrupt);
    virtio_mmio_driver_ok(base);
    return true;
}

uint64_t virtio_blk_capacity(void) { return capacity; }

bool virtio_blk_read_only(void) { return features & VIRTIO_BLK_F_RO; }

bool virtio_blk_read(uint64_t sector, unsigned sectors, void *data) {
    return within_capacity(sector, sectors) && perform(VIRTIO_BLK_T_IN, sector, sectors, data, SECTOR_SIZE);
}

bool virtio_blk_write(uint64_t sector, unsigned sectors, const void *data) {
    return within_capacity(sector, sectors) && perform(VIRTIO_BLK_T_OUT, sector, sectors, (char *)data, SECTOR_SIZE);
}

bool virtio_blk_flush(void) {
    return !(features & VIRTIO_BLK_F_FLUSH) || perform(VIRTIO_BLK_T_FLUSH, 0, 1, 0, 0);
}

bool virtio_blk_get_id(char *id) { return perform(VIRTIO_BLK_T_GET_ID, 0, 1, id, VIRTIO_BLK_ID_BYTES); }
