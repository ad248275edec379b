/* One split virtqueue, driver side. [virtio 1.4, 2.7] */

#pragma once

#include "virtio.h"

#include <stdbool.h>

enum { NO_DESCRIPTOR = 0xffff };

struct virtqueue {
    /* The three parts that the device sees, aligned as 2.7 demands. */
    volatile struct virtq_desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
    volatile struct virtq_avail avail __attribute__((aligned(2)));
    volatile struct virtq_used used __attribute__((aligned(4)));

    /* What only the driver knows. */
    uintptr_t base;       /* the device's registers */
    uint16_t index;       /* this queue's number */
    bool event_idx;       /* VIRTIO_F_EVENT_IDX was negotiated */
    uint16_t free_head;   /* first free descriptor; the list continues in desc[].next */
    uint16_t free_count;
    uint16_t next_avail;  /* next value of avail.idx; counts up and wraps at 2^16 */
    uint16_t last_notify; /* avail.idx at the last look at the device's wish for notifications */
    uint16_t last_used;   /* used.idx up to which entries have been taken */
};

void virtqueue_initialise(struct virtqueue *queue, uintptr_t base, uint16_t index, bool event_idx);

/* Takes `count` linked descriptors off the free list; returns the first, or NO_DESCRIPTOR if there are too few. */
uint16_t virtqueue_allocate(struct virtqueue *queue, uint16_t count);
/* Puts a chain back on the free list. The device must be done with it. */
void virtqueue_free(struct virtqueue *queue, uint16_t head);

/* Makes a chain available: from here until it comes back through virtqueue_take_used, it belongs to the device. */
void virtqueue_publish(struct virtqueue *queue, uint16_t head);
/* Tells the device about what was published, if the device wants to know. */
void virtqueue_notify(struct virtqueue *queue);

/* Takes the next used entry; false if there is none. */
bool virtqueue_take_used(struct virtqueue *queue, struct virtq_used_elem *entry);
