/* Discovery and initialisation of a virtio device on the MMIO transport, version 2. [virtio 1.4, 3.1 and 4.2] */

#pragma once

#include "virtqueue.h"

/* Register base of the first device with this id on the board's slots, and its slot number; 0 if there is none. */
uintptr_t virtio_mmio_find(uint32_t device_id, unsigned *slot);

/* Steps 1 to 6 of 3.1.1. Accepts what the device offers and the driver knows; false if the device refuses that. */
bool virtio_mmio_negotiate(uintptr_t base, uint64_t known, uint64_t *accepted);

/* Step 7: hands one queue to the device. False if the device has no such queue or a smaller one than QUEUE_SIZE. */
bool virtio_mmio_setup_queue(uintptr_t base, struct virtqueue *queue);
/* Step 7: a 64-bit field of the device's configuration space; `offset` in bytes from its start. */
uint64_t virtio_mmio_config64(uintptr_t base, unsigned offset);

/* Step 8: the device is live. */
void virtio_mmio_driver_ok(uintptr_t base);
/* 3.1.1: tells the device that the driver has given up on it. */
void virtio_mmio_failed(uintptr_t base);

/* Reads what the interrupt is about, and acknowledges what has been handled. [4.2.3.4.1] */
uint32_t virtio_mmio_interrupt_status(uintptr_t base);
void virtio_mmio_interrupt_acknowledge(uintptr_t base, uint32_t handled);
