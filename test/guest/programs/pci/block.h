/*
 * The steps of a small polling block driver on virtio-pci, each on its own, so that a test guest can take one of them differently. Rings and
 * request are those of driver.h. [virtio 1.4, 4.1]
 */

#pragma once

#include "driver.h"
#include "pci.h"

/* The common configuration structure. [4.1.4.3] */
enum {
    device_feature_select = 0,
    device_feature = 4,
    driver_feature_select = 8,
    driver_feature = 12,
    num_queues = 18,
    device_status = 20,
    queue_select = 22,
    queue_size = 24,
    queue_enable = 28,
    queue_notify_off = 30,
    queue_desc = 32,
    queue_driver = 40,
    queue_device = 48,
};

extern struct virtio_pci function;

void pci_reset(void);
/* Sets one more status bit. */
void pci_add_status(uint8_t bit);
/* Everything up to confirmed features, accepting VIRTIO_F_VERSION_1 alone. */
void pci_negotiate(void);
/* Size and addresses of queue 0, but not queue_enable. */
void pci_describe_queue(void);
void pci_enable_queue(void);
/* All of the above, and DRIVER_OK. */
void pci_start(void);
/* Where queue 0 is notified. */
uintptr_t pci_notify_address(void);
/* One whole read of sector 0. */
void pci_read(void);
/* The same, without making it available and notifying. */
void pci_take(uint16_t count);
