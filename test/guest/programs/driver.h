/*
 * The steps of a small polling block driver, each on its own, so that a test guest can take one of them differently. It keeps to the
 * specification; what a guest does wrong stands in the guest. [virtio 1.4, 2.7, 3.1 and 4.2]
 */

#pragma once

#include "board.h"
#include "io.h"
#include "virtio.h"

#include <stdbool.h>

/* The rings of queue 0, and one request's buffers. */
struct rings {
    volatile struct virtq_desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
    volatile struct virtq_avail avail __attribute__((aligned(16)));
    volatile struct virtq_used used __attribute__((aligned(16)));
};
struct block_request {
    struct virtio_blk_req_header header;
    char data[SECTOR_SIZE];
    volatile uint8_t status;
};
extern struct rings rings;
extern struct block_request request;

/* Register base of the block device; ends the run when there is none. */
uintptr_t find_device(void);
void reset(uintptr_t base);
/* Sets one more status bit. */
void add_status(uintptr_t base, uint32_t bit);
uint64_t offered_features(uintptr_t base);
void accept_features(uintptr_t base, uint64_t features);
/* Sets FEATURES_OK and reads it back; ends the run when the device refuses. */
void confirm_features(uintptr_t base);
/* Everything up to here in order, accepting what is offered of `wanted` and VIRTIO_F_VERSION_1. Returns what was accepted. */
uint64_t negotiate(uintptr_t base, uint64_t wanted);

/* Writes size and addresses of queue 0, but not QueueReady. */
void describe_queue(uintptr_t base);
void enable_queue(uintptr_t base);
/* All of the above, and DRIVER_OK. */
uintptr_t start_device(uint64_t wanted);

void set_descriptor(uint16_t index, volatile const void *buffer, uint32_t length, uint16_t flags, uint16_t next);
/* A read of sector 0 in descriptors 0 to 2. */
void describe_read(void);
void publish(uint16_t head);
void notify(uintptr_t base);
/* Polls until the device has used `count` buffers since the start, or has given up. */
void wait_for_used(uintptr_t base, uint16_t count);
/* Publishes what describe_read made, and waits for the answer. */
void perform_read(uintptr_t base);
