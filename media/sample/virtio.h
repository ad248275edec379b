/* What the virtio specification defines, in its own spelling. Section numbers are those of virtio 1.4. */

#pragma once

#include <stdint.h>

/* 2.1 Device Status Field */
enum {
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    DEVICE_NEEDS_RESET = 64,
    FAILED = 128,
};

/* 6 Reserved Feature Bits, and 5.2.3 Feature bits of the block device: bit n has the value 1 << n. */
#define VIRTIO_BLK_F_RO (1ull << 5)
#define VIRTIO_BLK_F_FLUSH (1ull << 9)
#define VIRTIO_BLK_F_MQ (1ull << 12)
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* 4.2.2 MMIO Device Register Layout: offsets in bytes */
enum {
    MagicValue = 0x000,
    Version = 0x004,
    DeviceID = 0x008,
    VendorID = 0x00c,
    DeviceFeatures = 0x010,
    DeviceFeaturesSel = 0x014,
    DriverFeatures = 0x020,
    DriverFeaturesSel = 0x024,
    QueueSel = 0x030,
    QueueSizeMax = 0x034,
    QueueSize = 0x038,
    QueueReady = 0x044,
    QueueNotify = 0x050,
    InterruptStatus = 0x060,
    InterruptACK = 0x064,
    Status = 0x070,
    QueueDescLow = 0x080,
    QueueDescHigh = 0x084,
    QueueDriverLow = 0x090,
    QueueDriverHigh = 0x094,
    QueueDeviceLow = 0x0a0,
    QueueDeviceHigh = 0x0a4,
    ConfigGeneration = 0x0fc,
    Config = 0x100,
};
enum { MAGIC = 0x74726976 }; /* "virt", little endian */

/* InterruptStatus and InterruptACK */
enum {
    USED_BUFFER_NOTIFICATION = 1 << 0,
    CONFIGURATION_CHANGE_NOTIFICATION = 1 << 1,
};

/* 2.7.5 The Virtqueue Descriptor Table */
struct virtq_desc {
    uint64_t addr; /* guest-physical */
    uint32_t len;
    uint16_t flags;
    uint16_t next; /* meaningful with VIRTQ_DESC_F_NEXT */
};
enum {
    VIRTQ_DESC_F_NEXT = 1,
    VIRTQ_DESC_F_WRITE = 2, /* the device writes the buffer; without it the device reads the buffer */
    VIRTQ_DESC_F_INDIRECT = 4,
};

/* The Queue Size of this driver: a power of two, at most QueueSizeMax. Small, so that the queue fits in one picture. */
enum { QUEUE_SIZE = 8 };

/* 2.7.6 The Virtqueue Available Ring: written by the driver */
struct virtq_avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[QUEUE_SIZE];
    uint16_t used_event; /* with VIRTIO_F_EVENT_IDX */
};
enum { VIRTQ_AVAIL_F_NO_INTERRUPT = 1 };

/* 2.7.8 The Virtqueue Used Ring: written by the device */
struct virtq_used_elem {
    uint32_t id;  /* head of the chain that the device is done with */
    uint32_t len; /* bytes the device wrote */
};
struct virtq_used {
    uint16_t flags;
    uint16_t idx;
    struct virtq_used_elem ring[QUEUE_SIZE];
    uint16_t avail_event; /* with VIRTIO_F_EVENT_IDX */
};
enum { VIRTQ_USED_F_NO_NOTIFY = 1 };

/* 5.2 Block Device */
enum { BLOCK_DEVICE_ID = 2 };
enum { SECTOR_SIZE = 512 }; /* bytes */
struct virtio_blk_req_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
enum {
    VIRTIO_BLK_T_IN = 0,
    VIRTIO_BLK_T_OUT = 1,
    VIRTIO_BLK_T_FLUSH = 4,
    VIRTIO_BLK_T_GET_ID = 8,
};
enum { VIRTIO_BLK_ID_BYTES = 20 };
enum {
    VIRTIO_BLK_S_OK = 0,
    VIRTIO_BLK_S_IOERR = 1,
    VIRTIO_BLK_S_UNSUPP = 2,
};
