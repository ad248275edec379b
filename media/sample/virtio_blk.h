/* A virtio block device. All calls return when the device has answered. [virtio 1.4, 5.2] */

#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Finds the first block device and brings it up; false if there is none or it cannot be used. */
bool virtio_blk_start(void);

uint64_t virtio_blk_capacity(void); /* in sectors of 512 bytes */
bool virtio_blk_read_only(void);

/* Whole sectors, several requests in flight. False if a request fails or goes beyond the capacity. */
bool virtio_blk_read(uint64_t sector, unsigned sectors, void *data);
bool virtio_blk_write(uint64_t sector, unsigned sectors, const void *data);
/* Makes earlier writes durable; does nothing when the device has no volatile cache. */
bool virtio_blk_flush(void);
/* `id` holds VIRTIO_BLK_ID_BYTES; a shorter identifier ends with a zero byte. */
bool virtio_blk_get_id(char *id);
