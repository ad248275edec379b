/*
 * A block driver that sleeps for interrupts and has every fence that a split virtqueue needs, each in a macro of its own, so that a test
 * can take it away or write it in another way. [virtio 1.4, 2.7.7, 2.7.13, 2.7.14]
 */

#include "driver.h"

#ifndef PUBLISH_FENCE /* ring stores before the available index */
#define PUBLISH_FENCE fence(w, w)
#endif
#ifndef CHECK_FENCE /* the available index before the device's wish */
#define CHECK_FENCE fence(w, r)
#endif
#ifndef DOORBELL_FENCE /* the available index before the doorbell */
#define DOORBELL_FENCE fence(w, o)
#endif
#ifndef USED_FENCE /* the used index before what it announces */
#define USED_FENCE fence(r, r)
#endif
#ifndef RECHECK_FENCE /* the wish for an interrupt before the last look */
#define RECHECK_FENCE fence(w, r)
#endif
#ifndef LATE_STORE /* what is stored to a buffer behind the publishing fence */
#define LATE_STORE
#endif
/* Another way to store the available index, and to load the used index. */
#ifndef STORE_INDEX
#define STORE_INDEX(value) rings.avail.idx = (value)
#endif
#ifndef LOAD_USED
#define LOAD_USED() rings.used.idx
#endif
#ifndef READ_ENTRY
#define READ_ENTRY(slot) rings.used.ring[slot].id
#endif

#ifndef REQUESTS
#define REQUESTS 5
#endif

static uintptr_t base;
static bool event_idx;
static volatile bool woken;
static uint16_t published;
static uint16_t seen;

/* The available flags and index, and the used ones, as the words that atomic instructions reach. */
static inline volatile uint32_t *available_word(void) { return (volatile uint32_t *)&rings.avail; }
static inline volatile uint32_t *used_word(void) { return (volatile uint32_t *)&rings.used; }

__attribute__((unused)) static inline void add_index_release(void) {
    __asm__ volatile("amoadd.w.rl zero, %1, (%0)" ::"r"(available_word()), "r"(1 << 16) : "memory");
}
__attribute__((unused)) static inline void add_index_both(void) {
    __asm__ volatile("amoadd.w.aqrl zero, %1, (%0)" ::"r"(available_word()), "r"(1 << 16) : "memory");
}
__attribute__((unused)) static inline void add_index_conditional(void) {
    uint32_t value, failed;
    __asm__ volatile("1: lr.w %0, (%2)\n add %0, %0, %3\n sc.w.rl %1, %0, (%2)\n bnez %1, 1b"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(available_word()), "r"(1 << 16)
                     : "memory");
}
__attribute__((unused)) static inline uint16_t used_index_acquire(void) {
    uint32_t value;
    __asm__ volatile("lr.w.aq %0, (%1)" : "=r"(value) : "r"(used_word()) : "memory");
    return (uint16_t)(value >> 16);
}
/* A full barrier without a fence: an atomic on a word of no meaning. */
static uint32_t nothing;
__attribute__((unused)) static inline void atomic_barrier(void) {
    __asm__ volatile("amoor.w.aqrl zero, zero, (%0)" ::"r"(&nothing) : "memory");
}
/* The used entry through an address that depends on the index: exclusive or with itself is 0, but still a dependency. */
__attribute__((unused)) static inline uint32_t dependent_id(uint16_t slot) {
    uint64_t index = rings.used.idx;
    uint64_t zero;
    __asm__ volatile("xor %0, %1, %1" : "=r"(zero) : "r"(index));
    return (&rings.used.ring[slot])[zero].id;
}

static void interrupt(void) {
    mmio_write32(base + InterruptACK, mmio_read32(base + InterruptStatus));
    woken = true;
}

static void submit(void) {
    describe_read();
    rings.avail.ring[published % QUEUE_SIZE] = 0;
    uint16_t next = (uint16_t)(published + 1);
    PUBLISH_FENCE;
    LATE_STORE;
    STORE_INDEX(next); /* PUBLISH */
    published = next;
}

static bool device_wants_notification(void) {
    if (event_idx) {
        return rings.used.avail_event == (uint16_t)(published - 1); /* CHECK EVENT */
    }
    return !(rings.used.flags & VIRTQ_USED_F_NO_NOTIFY); /* CHECK FLAGS */
}

static void ring_doorbell(void) {
    CHECK_FENCE;
    if (device_wants_notification()) {
        DOORBELL_FENCE;
        mmio_write32(base + QueueNotify, 0); /* DOORBELL */
    }
}

static void want_interrupt(void) {
    if (event_idx) {
        rings.avail.used_event = seen;
    } else {
        rings.avail.flags = 0;
    }
}

static void sleep_until_used(void) {
    while (LOAD_USED() == seen) {
        woken = false;
        want_interrupt();
        RECHECK_FENCE;
        if (LOAD_USED() != seen) { /* RECHECK */
            break;
        }
        wait_until(&woken);
        if (!event_idx) {
            rings.avail.flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
        }
    }
}

static void take_used(void) {
    USED_FENCE;
    uint32_t id = READ_ENTRY(seen % QUEUE_SIZE); /* ENTRY */
    seen++;
    if (id != 0 || request.status != VIRTIO_BLK_S_OK) {
        print("not read\n");
        finish(1);
    }
}

_Noreturn void main(void) {
#ifdef EVENT_IDX
    base = start_device(VIRTIO_F_EVENT_IDX);
    event_idx = true;
#else
    base = start_device(0);
#endif
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
