/* One split virtqueue, driver side: free list, publishing, notification and the used ring. [virtio 1.4, 2.7] */

#include "virtqueue.h"

#include "io.h"

void virtqueue_initialise(struct virtqueue *queue, uintptr_t base, uint16_t index, bool event_idx) {
    queue->base = base;
    queue->index = index;
    queue->event_idx = event_idx;
    queue->next_avail = queue->last_notify = queue->last_used = 0;

    /* All descriptors are free, each linked to the following one. */
    queue->free_head = 0;
    queue->free_count = QUEUE_SIZE;
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        queue->desc[i].flags = 0;
        queue->desc[i].next = (uint16_t)(i + 1);
    }
    /* 2.7.7.1 and 2.7.10.1: no suppression in either direction to begin with. */
    queue->avail.flags = queue->avail.idx = queue->avail.used_event = 0;
    queue->used.flags = queue->used.idx = queue->used.avail_event = 0;
}

uint16_t virtqueue_allocate(struct virtqueue *queue, uint16_t count) {
    if (count > queue->free_count) {
        return NO_DESCRIPTOR;
    }
    uint16_t head = queue->free_head;
    uint16_t last = head;
    for (uint16_t i = 1; i < count; i++) {
        last = queue->desc[last].next;
    }
    queue->free_head = queue->desc[last].next;
    queue->free_count -= count;
    return head;
}

void virtqueue_free(struct virtqueue *queue, uint16_t head) {
    uint16_t last = head;
    uint16_t count = 1;
    while (queue->desc[last].flags & VIRTQ_DESC_F_NEXT) {
        last = queue->desc[last].next;
        count++;
    }
    queue->desc[last].next = queue->free_head;
    queue->free_head = head;
    queue->free_count += count;
}

void virtqueue_publish(struct virtqueue *queue, uint16_t head) {
    /* 2.7.13.2: the slot is the index modulo the queue size; the index itself never goes back. */
    queue->avail.ring[queue->next_avail % QUEUE_SIZE] = head;

    /* 2.7.13.3.1: descriptors and ring entry must be visible before the index that exposes them. */
    fence(w, w);
    queue->next_avail++;
    queue->avail.idx = queue->next_avail;
}

static bool notification_wanted(const struct virtqueue *queue, uint16_t before) {
    if (!queue->event_idx) {
        return !(queue->used.flags & VIRTQ_USED_F_NO_NOTIFY);
    }
    /* 2.7.10: wanted if this batch moved the index past avail_event. Sixteen-bit arithmetic takes care of the wrap. */
    uint16_t published = (uint16_t)(queue->next_avail - before);
    uint16_t distance = (uint16_t)(queue->next_avail - queue->used.avail_event - 1);
    return distance < published;
}

void virtqueue_notify(struct virtqueue *queue) {
    uint16_t before = queue->last_notify;
    queue->last_notify = queue->next_avail;

    /* 2.7.13.4.1: the index must be visible before the device's wish is read, or each could wait for the other. */
    fence(w, r);
    if (notification_wanted(queue, before)) {
        /* The doorbell is a device register: a fence between memory stores and output. */
        fence(w, o);
        mmio_write32(queue->base + QueueNotify, queue->index);
    }
}

bool virtqueue_take_used(struct virtqueue *queue, struct virtq_used_elem *entry) {
    if (queue->used.idx == queue->last_used) {
        if (!queue->event_idx) {
            return false;
        }
        /* 2.7.7: ask for an interrupt at the next entry, then look again in case it came in between. */
        queue->avail.used_event = queue->last_used;
        fence(w, r);
        if (queue->used.idx == queue->last_used) {
            return false;
        }
    }
    /* 2.7.14: load the entry, and what the device wrote to the buffers, only after the index that announced them. */
    fence(r, r);
    entry->id = queue->used.ring[queue->last_used % QUEUE_SIZE].id;
    entry->len = queue->used.ring[queue->last_used % QUEUE_SIZE].len;
    queue->last_used++;
    return true;
}
