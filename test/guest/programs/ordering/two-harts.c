/*
 * Two harts share one queue, split or with PACKED a packed one: each request is added by one of them, published by the other, notified by
 * either and reaped by the one that did not publish. What keeps the order between them stands in macros, so that a test can write it in
 * another way or leave it out: a spin lock, or without one a word that hands the queue over. [RISC-V unprivileged, "A" extension, RVWMO;
 * virtio 1.4, 2.7.13, 2.7.14, 2.8.21, 2.8.22]
 */

#include "driver.h"

#ifndef ACQUIRE /* before a hart looks whose turn it is */
#define ACQUIRE lock()
#endif
#ifndef RELEASE /* behind what it did */
#define RELEASE __asm__ volatile("amoswap.w.rl zero, zero, (%0)" ::"r"(&locked) : "memory")
#endif
#ifndef TAKEN /* between seeing that it is its turn and what it does */
#define TAKEN
#endif
#ifndef GIVE /* between what it did and saying that it is done */
#define GIVE
#endif
#ifndef PUBLISH_FENCE /* the lock orders what the other hart stored; Linux has one here all the same */
#define PUBLISH_FENCE fence(w, w)
#endif

#ifndef NOTIFIED_BY /* the hart that rings the doorbell of a request */
#define NOTIFIED_BY(round) (round) / 2 % 2
#endif
#ifndef REQUESTS
#define REQUESTS 24
#endif

#define VIRTIO_F_RING_PACKED (1ull << 34)

enum step { ADD, PUBLISH, NOTIFY, REAP, STEPS };

static uintptr_t base;
static volatile uint32_t started;
static uint32_t locked;
/* Steps done so far, of all requests. */
static volatile uint32_t done;

__attribute__((unused)) static void lock(void) {
    uint32_t was;
    do {
        __asm__ volatile("amoswap.w.aq %0, %1, (%2)" : "=r"(was) : "r"(1), "r"(&locked) : "memory");
    } while (was != 0);
}

/* Which hart takes a step: the one that adds never publishes, and each is each in turn. */
static unsigned hart_of(uint32_t position) {
    uint32_t round = position / STEPS;
    switch (position % STEPS) {
    case PUBLISH:
        return (round + 1) % 2;
    case NOTIFY:
        return NOTIFIED_BY(round);
    default:
        return round % 2;
    }
}

#ifdef PACKED

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
enum { RING_EVENT_FLAGS_DISABLE = 1 };
enum { DESCRIPTORS = 3 };

/* The memory of a split queue holds a packed one. */
static volatile struct pvirtq_desc *ring(void) { return (void *)rings.desc; }
/* Of the next request; counts descriptors and never wraps. */
static uint32_t next;

static bool wrap_counter(void) { return next / QUEUE_SIZE % 2 == 0; }
static bool wrap_counter_of(uint32_t position) { return position / QUEUE_SIZE % 2 == 0; }
static uint16_t available_bits(uint32_t position) {
    return wrap_counter_of(position) ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

static void describe(uint32_t position, volatile const void *buffer, uint32_t length, uint16_t flags) {
    volatile struct pvirtq_desc *desc = &ring()[position % QUEUE_SIZE];
    desc->addr = (uintptr_t)buffer;
    desc->len = length;
    desc->id = 0;
    if (position != next) {
        desc->flags = flags | available_bits(position);
    }
}

static void add(void) {
    request.header.type = VIRTIO_BLK_T_IN;
    request.header.reserved = 0;
    request.header.sector = 0;
    request.status = 0xff;
    describe(next, &request.header, sizeof request.header, VIRTQ_DESC_F_NEXT);
    describe(next + 1, request.data, sizeof request.data, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE);
    describe(next + 2, &request.status, 1, VIRTQ_DESC_F_WRITE);
}

static void publish_added(void) {
    ring()[next % QUEUE_SIZE].flags = VIRTQ_DESC_F_NEXT | available_bits(next); /* PUBLISH */
}

static bool device_wants_notification(void) {
    volatile struct pvirtq_event_suppress *device_event = (void *)&rings.used;
    return device_event->flags != RING_EVENT_FLAGS_DISABLE;
}

static bool is_used(void) {
    uint16_t flags = ring()[next % QUEUE_SIZE].flags;
    bool available = flags & VIRTQ_DESC_F_AVAIL;
    bool used = flags & VIRTQ_DESC_F_USED;
    return available == used && used == wrap_counter();
}

static uint32_t take_used(void) {
    uint32_t id = ring()[next % QUEUE_SIZE].id;
    next += DESCRIPTORS;
    return id;
}

static void start(void) {
    base = start_device(VIRTIO_F_RING_PACKED);
    volatile struct pvirtq_event_suppress *driver_event = (void *)&rings.avail;
    driver_event->flags = RING_EVENT_FLAGS_DISABLE;
}

#else

/* Requests that were published, which is one more than those reaped while one is under way. */
static uint16_t published;
static uint16_t reaped;

static void add(void) {
    describe_read();
    rings.avail.ring[published % QUEUE_SIZE] = 0;
}

static void publish_added(void) {
    published++;
    rings.avail.idx = published; /* PUBLISH */
}

static bool device_wants_notification(void) { return !(rings.used.flags & VIRTQ_USED_F_NO_NOTIFY); }
static bool is_used(void) { return rings.used.idx != reaped; }

static uint32_t take_used(void) {
    uint32_t id = rings.used.ring[reaped % QUEUE_SIZE].id;
    reaped++;
    return id;
}

static void start(void) { base = start_device(0); }

#endif

/* Whether the step is done. */
static bool perform(enum step step) {
    switch (step) {
    case ADD:
        add();
        return true;
    case PUBLISH:
        PUBLISH_FENCE;
        publish_added();
        return true;
    case NOTIFY:
        fence(rw, rw);
        if (device_wants_notification()) {
            fence(rw, o);
            mmio_write32(base + QueueNotify, 0);
        }
        return true;
    default:
        if (!is_used()) {
            return false;
        }
        fence(r, r);
        if (take_used() != 0 || request.status != VIRTIO_BLK_S_OK) {
            print("not read\n");
            finish(1);
        }
        return true;
    }
}

static void share(unsigned hart) {
    uint32_t random = hart;
    for (;;) {
        /* Some time without the lock, never the same: harts that take turns of equal length could meet in the same place for ever. */
        random = random * 1664525 + 1013904223;
        for (volatile unsigned wait = 0; wait < random >> 28; wait++) {
        }
        ACQUIRE;
        uint32_t position = done;
        if (position == REQUESTS * STEPS) {
            break;
        }
        if (hart_of(position) == hart) {
            TAKEN;
            if (perform(position % STEPS)) {
                GIVE;
                done = position + 1;
            }
        }
        RELEASE;
    }
    RELEASE;
}

_Noreturn void second_main(void) {
    while (!started) {
    }
    fence(r, rw);
    share(1);
    for (;;) {
        __asm__ volatile("wfi");
    }
}

_Noreturn void main(void) {
    start();
    fence(iorw, rw);
    started = 1;
    share(0);
    print_bytes(request.data, 32);
    print("\n");
    finish(0);
}
