/*
 * As driver.c, with a packed virtqueue: a block driver that sleeps for interrupts and has every fence that it needs, each in a macro of its
 * own, so that a test can take it away or write it in another way. [virtio 1.4, 2.8.14, 2.8.21, 2.8.22]
 */

#include "driver.h"

#ifndef PUBLISH_FENCE /* the descriptors of a list before the flags of its first one */
#define PUBLISH_FENCE fence(w, w)
#endif
#ifndef CHECK_FENCE /* those flags before the device's wish */
#define CHECK_FENCE fence(w, r)
#endif
#ifndef DOORBELL_FENCE /* those flags before the doorbell */
#define DOORBELL_FENCE fence(w, o)
#endif
#ifndef USED_FENCE /* the flags of a used descriptor before the rest of it and the buffers */
#define USED_FENCE fence(r, r)
#endif
#ifndef RECHECK_FENCE /* the wish for an interrupt before the last look */
#define RECHECK_FENCE fence(w, r)
#endif
#ifndef LATE_STORE /* what is stored to a buffer behind the publishing fence */
#define LATE_STORE
#endif
/* Other ways to store the flags that publish, and to load the flags of a used descriptor. */
#ifndef STORE_FLAGS
#define STORE_FLAGS(slot, value) ring[slot].flags = (value)
#endif
#ifndef LOAD_FLAGS
#define LOAD_FLAGS(slot) ring[slot].flags
#endif
#ifndef REQUESTS
#define REQUESTS 7
#endif

#define VIRTIO_F_RING_PACKED (1ull << 34)

/* 2.8.13 and 2.8.14 */
struct pvirtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id;
    uint16_t flags;
};
struct pvirtq_event_suppress {
    uint16_t desc;
    uint16_t flags;
};
enum { VIRTQ_DESC_F_AVAIL = 1 << 7, VIRTQ_DESC_F_USED = 1 << 15 };
enum { RING_EVENT_FLAGS_ENABLE = 0, RING_EVENT_FLAGS_DISABLE = 1, RING_EVENT_FLAGS_DESC = 2 };
enum { DESCRIPTORS = 3 };

/* The memory of a split queue holds a packed one. */
static volatile struct pvirtq_desc *ring;
static volatile struct pvirtq_event_suppress *driver_event;
static volatile struct pvirtq_event_suppress *device_event;

static uintptr_t base;
static bool event_idx;
static volatile bool woken;
/* Positions count descriptors and never wrap. */
static uint32_t next_available;
static uint32_t next_used;

static inline bool wrap_counter(uint32_t position) { return position / QUEUE_SIZE % 2 == 0; }
static inline uint16_t available_bits(uint32_t position) {
    return wrap_counter(position) ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}
static inline uint16_t place(uint32_t position) {
    return (uint16_t)(position % QUEUE_SIZE | (uint32_t)wrap_counter(position) << 15);
}

/* Id and flags of a descriptor, as the word that atomic instructions reach. */
static inline volatile uint32_t *last_word(unsigned slot) { return (volatile uint32_t *)&ring[slot].id; }

__attribute__((unused)) static inline void swap_flags_release(unsigned slot, uint16_t flags) {
    __asm__ volatile("amoswap.w.rl zero, %1, (%0)" ::"r"(last_word(slot)), "r"((uint32_t)flags << 16) : "memory");
}
__attribute__((unused)) static inline void store_flags_conditional(unsigned slot, uint16_t flags) {
    uint32_t failed, old;
    __asm__ volatile("1: lr.w %0, (%2)\n sc.w.rl %1, %3, (%2)\n bnez %1, 1b"
                     : "=&r"(old), "=&r"(failed)
                     : "r"(last_word(slot)), "r"((uint32_t)flags << 16)
                     : "memory");
}
__attribute__((unused)) static inline uint16_t flags_acquire(unsigned slot) {
    uint32_t value;
    __asm__ volatile("lr.w.aq %0, (%1)" : "=r"(value) : "r"(last_word(slot)) : "memory");
    return (uint16_t)(value >> 16);
}
/* A full barrier without a fence: an atomic on a word of no meaning. */
static uint32_t nothing;
__attribute__((unused)) static inline void atomic_barrier(void) {
    __asm__ volatile("amoor.w.aqrl zero, zero, (%0)" ::"r"(&nothing) : "memory");
}

static void interrupt(void) {
    mmio_write32(base + InterruptACK, mmio_read32(base + InterruptStatus));
    woken = true;
}

static void describe(uint32_t position, volatile const void *buffer, uint32_t length, uint16_t flags) {
    volatile struct pvirtq_desc *desc = &ring[position % QUEUE_SIZE];
    desc->addr = (uintptr_t)buffer;
    desc->len = length;
    desc->id = 0;
    if (position != next_available) {
        desc->flags = flags | available_bits(position);
    }
}

static void submit(void) {
    request.header.type = VIRTIO_BLK_T_IN;
    request.header.reserved = 0;
    request.header.sector = 0;
    request.status = 0xff;
    describe(next_available, &request.header, sizeof request.header, VIRTQ_DESC_F_NEXT);
    describe(next_available + 1, request.data, sizeof request.data, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE);
    describe(next_available + 2, &request.status, 1, VIRTQ_DESC_F_WRITE);
    uint16_t flags = VIRTQ_DESC_F_NEXT | available_bits(next_available);
    unsigned slot = next_available % QUEUE_SIZE;
    PUBLISH_FENCE;
    LATE_STORE;
    STORE_FLAGS(slot, flags); /* PUBLISH */
    next_available += DESCRIPTORS;
}

static bool device_wants_notification(void) {
    uint32_t wish = *(volatile uint32_t *)device_event; /* CHECK */
    return wish >> 16 != RING_EVENT_FLAGS_DISABLE;
}

static void ring_doorbell(void) {
    CHECK_FENCE;
    if (device_wants_notification()) {
        DOORBELL_FENCE;
        mmio_write32(base + QueueNotify, 0); /* DOORBELL */
    }
}

static bool is_used(uint16_t flags) {
    bool available = flags & VIRTQ_DESC_F_AVAIL;
    bool used = flags & VIRTQ_DESC_F_USED;
    return available == used && used == wrap_counter(next_used);
}

static void want_interrupt(void) {
    if (event_idx) {
        *(volatile uint32_t *)driver_event = (uint32_t)RING_EVENT_FLAGS_DESC << 16 | place(next_used);
    } else {
        driver_event->flags = RING_EVENT_FLAGS_ENABLE;
    }
}

static void sleep_until_used(void) {
    unsigned slot = next_used % QUEUE_SIZE;
    while (!is_used(LOAD_FLAGS(slot))) {
        woken = false;
        want_interrupt();
        RECHECK_FENCE;
        if (is_used(LOAD_FLAGS(slot))) { /* RECHECK */
            break;
        }
        wait_until(&woken);
        driver_event->flags = RING_EVENT_FLAGS_DISABLE;
    }
}

static void take_used(void) {
    USED_FENCE;
    uint16_t id = ring[next_used % QUEUE_SIZE].id; /* USED DESCRIPTOR */
    next_used += DESCRIPTORS;
    if (id != 0 || request.status != VIRTIO_BLK_S_OK) {
        print("not read\n");
        finish(1);
    }
}

_Noreturn void main(void) {
    ring = (void *)rings.desc;
    driver_event = (void *)&rings.avail;
    device_event = (void *)&rings.used;
#ifdef EVENT_IDX
    base = start_device(VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX);
    event_idx = true;
#else
    base = start_device(VIRTIO_F_RING_PACKED);
#endif
    driver_event->flags = RING_EVENT_FLAGS_DISABLE;
    set_interrupt_handler(1 + (unsigned)((base - VIRTIO_MMIO) / VIRTIO_MMIO_STRIDE), interrupt);
    for (unsigned i = 0; i < REQUESTS; i++) {
        submit();
        ring_doorbell();
        sleep_until_used();
        take_used();
    }
    print_bytes(request.data, 32);
    print("\n");
    finish(0);
}
