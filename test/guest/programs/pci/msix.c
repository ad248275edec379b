/*
 * A block driver that is interrupted by messages: vectors for the queue and for configuration changes, masks, pending bits, no vector, a
 * message to memory. With LEGACY it speaks the legacy interface, whose configuration moves. [virtio 1.4, 4.1.5.1.2; RISC-V AIA 1.0, 3]
 */

#include "pci.h"
#include "processor.h"
#include "virtio.h"

enum { MACHINE_FILE = 0x24000000, EIDELIVERY = 0x70, EIE = 0xc0 };
enum { CONFIG_IDENTITY = 20, QUEUE_IDENTITY = 21, CONFIG_VECTOR = 0, QUEUE_VECTOR = 1 };
#define miselect 0x350
#define mireg 0x351
#define mtopei 0x35c
#define number_write(csr, value) __asm__ volatile("csrw %0, %1" ::"i"(csr), "r"((uint64_t)(value)) : "memory")

/* The common configuration structure. [4.1.4.3] */
enum {
    device_feature_select = 0,
    device_feature = 4,
    driver_feature_select = 8,
    driver_feature = 12,
    config_msix_vector = 16,
    num_queues = 18,
    device_status = 20,
    queue_select = 22,
    queue_size = 24,
    queue_msix_vector = 26,
    queue_enable = 28,
    queue_notify_off = 30,
    queue_desc = 32,
    queue_driver = 40,
    queue_device = 48,
};
/* The legacy header. [4.1.4.10] */
enum {
    legacy_features = 0,
    legacy_driver_features = 4,
    legacy_page = 8,
    legacy_queue_size = 12,
    legacy_queue_select = 14,
    legacy_notify = 16,
    legacy_status = 18,
    legacy_config_vector = 20,
    legacy_queue_vector = 22,
};

static struct virtio_pci function;
/* The largest queue of a legacy device has 256 entries and cannot be made smaller. */
enum { ENTRIES = 256, PAGE = 4096 };
static struct {
    struct virtq_desc desc[ENTRIES];
    uint16_t avail_flags, avail_idx, avail_ring[ENTRIES], used_event;
    uint8_t gap[PAGE - 16 * ENTRIES % PAGE - 6 - 2 * ENTRIES];
    uint16_t used_flags, used_idx;
    struct virtq_used_elem used_ring[ENTRIES];
} __attribute__((aligned(4096))) volatile ring;
static struct virtio_blk_req_header header;
static char data[SECTOR_SIZE];
static volatile uint8_t status;
static unsigned size = 8;
static uintptr_t doorbell;
static uint16_t published;

/* What the handler saw, in order. */
static volatile unsigned seen[16];
static volatile unsigned seen_count;
void on_interrupt(unsigned cause) {
    (void)cause;
    uint64_t top;
    __asm__ volatile("csrrw %0, %1, zero" : "=r"(top) : "i"(mtopei) : "memory");
    seen[seen_count++ & 15] = (unsigned)(top >> 16);
}
static void wait_for_message(const char *name) {
    while (seen_count == 0) {
        __asm__ volatile("wfi");
        csr_set(mstatus, MSTATUS_MIE);
        csr_clear(mstatus, MSTATUS_MIE);
    }
    for (unsigned i = 0; i < seen_count; i++) {
        report(name, seen[i]);
    }
    seen_count = 0;
}
static uint64_t __attribute__((unused)) waiting(void) { return csr_read(0x35c) >> 16; }

static void publish(void) {
    header.type = VIRTIO_BLK_T_IN;
    header.sector = published % 4;
    status = 0xff;
    ring.desc[0] = (struct virtq_desc){(uintptr_t)&header, sizeof header, VIRTQ_DESC_F_NEXT, 1};
    ring.desc[1] = (struct virtq_desc){(uintptr_t)data, sizeof data, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2};
    ring.desc[2] = (struct virtq_desc){(uintptr_t)&status, 1, VIRTQ_DESC_F_WRITE, 0};
    ring.avail_ring[published % size] = 0;
    fence(rw, w);
    ring.avail_idx = ++published;
    fence(rw, rw);
    fence(rw, o);
    mmio_write16(doorbell, 0);
}
static void wait_for_used(void) {
    while (ring.used_idx != published) {
        fence(i, r);
    }
    fence(r, rw);
    report("status", status);
    report("first byte", (uint8_t)data[0]);
}

#ifndef LEGACY
static void map(unsigned field, uint16_t vector, const char *name) {
    mmio_write16(function.common + field, vector);
#ifdef MISTAKES
    print(name);
    return;
#endif
    report(name, mmio_read16(function.common + field));
}
static void start(void) {
    report("interface", function.common && function.notify && function.isr && function.device);
    mmio_write8(function.common + device_status, 0);
    while (mmio_read8(function.common + device_status) != 0) {
    }
    mmio_write8(function.common + device_status, ACKNOWLEDGE);
    mmio_write8(function.common + device_status, ACKNOWLEDGE | DRIVER);
    mmio_write32(function.common + device_feature_select, 0);
    (void)mmio_read32(function.common + device_feature);
    mmio_write32(function.common + device_feature_select, 1);
    report("VIRTIO_F_VERSION_1", mmio_read32(function.common + device_feature) & 1);
    mmio_write32(function.common + driver_feature_select, 0);
    mmio_write32(function.common + driver_feature, 0);
    mmio_write32(function.common + driver_feature_select, 1);
    mmio_write32(function.common + driver_feature, 1);
    mmio_write8(function.common + device_status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    report("status", mmio_read8(function.common + device_status));
    report("queues", mmio_read16(function.common + num_queues));

    report("config vector at first", mmio_read16(function.common + config_msix_vector));
    map(config_msix_vector, CONFIG_VECTOR, "config vector");
    mmio_write16(function.common + queue_select, 0);
    report("queue vector at first", mmio_read16(function.common + queue_msix_vector));
#ifdef TOO_FEW
    map(queue_msix_vector, QUEUE_VECTOR, "queue vector that does not exist");
    map(queue_msix_vector, CONFIG_VECTOR, "shared vector");
#else
    map(queue_msix_vector, QUEUE_VECTOR, "queue vector");
#endif
    report("queue size", mmio_read16(function.common + queue_size));
    mmio_write16(function.common + queue_size, size);
    mmio_write32(function.common + queue_desc, (uint32_t)(uintptr_t)ring.desc);
    mmio_write32(function.common + queue_desc + 4, 0);
    mmio_write32(function.common + queue_driver, (uint32_t)(uintptr_t)&ring.avail_flags);
    mmio_write32(function.common + queue_driver + 4, 0);
    mmio_write32(function.common + queue_device, (uint32_t)(uintptr_t)&ring.used_flags);
    mmio_write32(function.common + queue_device + 4, 0);
    doorbell = function.notify + mmio_read16(function.common + queue_notify_off) * function.notify_off_multiplier;
    mmio_write16(function.common + queue_enable, 1);
    mmio_write8(function.common + device_status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}
static void __attribute__((unused)) set_queue_vector(uint16_t vector, const char *name) {
    mmio_write16(function.common + queue_select, 0);
    map(queue_msix_vector, vector, name);
}
#else
static void __attribute__((unused)) set_queue_vector(uint16_t vector, const char *name) {
    mmio_write16(function.bars[0] + legacy_queue_select, 0);
    mmio_write16(function.bars[0] + legacy_queue_vector, vector);
    report(name, mmio_read16(function.bars[0] + legacy_queue_vector));
}
static void start(void) {
    uintptr_t base = function.bars[0];
    mmio_write8(base + legacy_status, 0);
    mmio_write8(base + legacy_status, ACKNOWLEDGE);
    mmio_write8(base + legacy_status, ACKNOWLEDGE | DRIVER);
    report("capacity with MSI-X", mmio_read32(base + 24));
    msix_control(&function, 0);
    report("capacity without", mmio_read32(base + 20));
    msix_control(&function, MSIX_ENABLE);
    report("and with it again", mmio_read32(base + 24));
    (void)mmio_read32(base + legacy_features);
    mmio_write32(base + legacy_driver_features, 0);
    mmio_write16(base + legacy_config_vector, CONFIG_VECTOR);
    report("config vector", mmio_read16(base + legacy_config_vector));
    set_queue_vector(QUEUE_VECTOR, "queue vector");
    size = mmio_read16(base + legacy_queue_size);
    report("queue size", size);
    mmio_write32(base + legacy_page, (uint32_t)((uintptr_t)&ring / PAGE));
    doorbell = base + legacy_notify;
    mmio_write8(base + legacy_status, ACKNOWLEDGE | DRIVER | DRIVER_OK);
}
#endif

int main(void) {
    pci_find(&function);
    report("device", mmio_read16(function.config + DEVICE));
    report("vectors", function.vectors);
    if (function.vectors == 0) {
        finish(0);
    }
    report("entry after reset, control", mmio_read32(function.table + 12));
    report("Message Control", mmio_read16(function.msix + 2) >> 11);

    number_write(miselect, EIDELIVERY);
    number_write(mireg, 1);
    number_write(miselect, EIE);
    number_write(mireg, 1 << CONFIG_IDENTITY | 1 << QUEUE_IDENTITY);
    csr_write(mie, MIE_MEIE);
    msix_control(&function, MSIX_ENABLE);
    msix_set(&function, CONFIG_VECTOR, MACHINE_FILE, CONFIG_IDENTITY, 0);
    if (function.vectors > 1) {
        msix_set(&function, QUEUE_VECTOR, MACHINE_FILE, QUEUE_IDENTITY, 0);
    }
    report("entry", mmio_read32(function.table + 8));
    start();

    publish();
    wait_for_message("message of the queue");
    wait_for_used();
#ifdef MISTAKES
    (void)mmio_read8(function.isr);
    finish(0);
#endif
#ifndef TOO_FEW
    msix_set(&function, QUEUE_VECTOR, MACHINE_FILE, QUEUE_IDENTITY, 1);
    publish();
    wait_for_used();
    report("masked: waiting", waiting());
    report("pending", mmio_read32(function.pending));
    mmio_write32(function.table + 16 * QUEUE_VECTOR + 12, 0);
    wait_for_message("message after the mask");
    report("pending", mmio_read32(function.pending));

    msix_control(&function, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    publish();
    wait_for_used();
    report("function masked: waiting", waiting());
    report("pending", mmio_read32(function.pending));
    msix_control(&function, MSIX_ENABLE);
    wait_for_message("message after the function's mask");
    report("pending", mmio_read32(function.pending));

    set_queue_vector(function.vectors, "a vector that does not exist");
    set_queue_vector(NO_VECTOR, "no vector");
    publish();
    wait_for_used();
    report("waiting", waiting());
    set_queue_vector(QUEUE_VECTOR, "mapped again");

    static volatile uint32_t word;
    msix_set(&function, QUEUE_VECTOR, (uintptr_t)&word, 0x12345678, 0);
    publish();
    wait_for_used();
    while (word == 0) {
        fence(rw, rw);
    }
    report("message in memory", word);
#endif
#ifdef BREAK
    /* A head that does not exist breaks the device, which tells so as a change of configuration. */
    ring.avail_ring[published % size] = 0x7fff;
    fence(rw, w);
    ring.avail_idx = ++published;
    fence(rw, o);
    mmio_write16(doorbell, 0);
    wait_for_message("message of the configuration");
    report("DEVICE_NEEDS_RESET", mmio_read8(function.common + device_status) & DEVICE_NEEDS_RESET);
#endif
    finish(0);
}
