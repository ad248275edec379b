/*
 * The steps of a small polling block driver with a packed ring, each on its own, so that a test guest can take one of them differently. It
 * keeps to the specification; what a guest does wrong stands in the guest. [virtio 1.4, 2.8]
 */

#pragma once

#include "driver.h"

#define VIRTIO_F_RING_PACKED (1ull << 34)

struct pvirtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id;
    uint16_t flags;
};
enum { VIRTQ_DESC_F_AVAIL = 1 << 7, VIRTQ_DESC_F_USED = 1 << 15 };
struct pvirtq_event_suppress {
    uint16_t off_wrap;
    uint16_t flags;
};
enum { RING_EVENT_FLAGS_ENABLE, RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_DESC };

struct packed_ring {
    volatile struct pvirtq_desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
    volatile struct pvirtq_event_suppress driver_event __attribute__((aligned(4)));
    volatile struct pvirtq_event_suppress device_event __attribute__((aligned(4)));
};
extern struct packed_ring packed;

/* A request takes four descriptors: header, two halves of the data, status. The ring holds two. */
enum { PARTS = 4 };
/* The first descriptor of the request that is being made, and the driver's wrap counter there. */
extern unsigned head;
extern bool wrap;

/* Everything up to a live device. The driver asks for no interrupts. */
uintptr_t packed_start(void);
/* AVAIL and USED as the driver sets them for a lap. */
uint16_t packed_lap(bool lap);
/* A read of sector 0, all of it but the flags of its head. */
void packed_describe_read(void);
/* What these flags have to be. */
uint16_t packed_head_flags(void);
/* The request at the head was made available: the next one stands behind it. */
void packed_go_on(void);
/* Behind a fence: whether the device asks to be notified. */
bool packed_wants_notification(void);
/* Waits for the request that was made available last and prints what it read. */
void packed_take(uintptr_t base);
/* One whole read. */
void packed_read(uintptr_t base);
