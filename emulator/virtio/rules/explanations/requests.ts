// Explanations of the rules about requests and device models. [virtio 1.4, 5.2, 5.3, 5.4]
import type { ExplanationTable } from './explanation';

const read = `chain(readable(&header, 16), writable(data, 512), writable(&status, 1));`;

export const requestExplanations: ExplanationTable = {
  'block.header-short': {
    demanded: 'A request begins with 16 device-readable bytes: type, reserved, sector.',
    hardware: 'QEMU breaks the device at a short header.',
    wrong: `chain(readable(&header, sizeof(&header)), writable(data, 512), writable(&status, 1));`,
    right: read,
  },
  'block.no-status-byte': {
    demanded: 'A request ends with a device-writable byte for the status.',
    hardware: 'The device cannot say how it went, and gives the queue up.',
    wrong: `chain(readable(&header, 16), readable(data, 512));`,
    right: `chain(readable(&header, 16), readable(data, 512), writable(&status, 1));`,
  },
  'block.data-direction': {
    demanded: 'Data of a read is device-writable, data of a write device-readable.',
    hardware: 'The device finds a request without data: nothing is read, or nothing is written.',
    wrong: `header.type = VIRTIO_BLK_T_IN;
chain(readable(&header, 16), readable(data, 512), writable(&status, 1));`,
    right: read,
  },
  'block.data-length': {
    demanded: 'Data of reads and writes is a multiple of 512 bytes, whatever blk_size says.',
    hardware: 'Devices fail the request or cut it.',
    wrong: `chain(readable(&header, 16), writable(data, 100), writable(&status, 1));`,
    right: read,
  },
  'block.beyond-capacity': {
    demanded: 'Requests stay within capacity, which counts 512-byte sectors.',
    hardware: 'The request fails; on hardware that wraps it hits the beginning of the disk.',
    wrong: `header.sector = block * 8; /* unchecked */`,
    right: `if (sector + count > capacity) return -EIO;
header.sector = sector;`,
  },
  'block.flush-sector': {
    demanded: 'The sector of a flush is 0.',
    hardware: 'The field may get a meaning; a device may refuse the request.',
    wrong: `header.type = VIRTIO_BLK_T_FLUSH; /* sector of the last write is left */`,
    right: `header.type = VIRTIO_BLK_T_FLUSH;
header.sector = 0;`,
  },
  'block.flush-data': {
    demanded: 'A flush carries no data.',
    hardware: 'Devices ignore it or refuse the request.',
    wrong: read,
    right: `chain(readable(&header, 16), writable(&status, 1));`,
  },
  'block.segments-length': {
    demanded: 'Data of discard and write zeroes is whole segments of 16 bytes.',
    hardware: 'The rest is ignored, or the request fails.',
    wrong: `chain(readable(&header, 16), readable(segments, 20), writable(&status, 1));`,
    right: `chain(readable(&header, 16), readable(segments, n * 16), writable(&status, 1));`,
  },
  'block.id-length': {
    demanded: 'A request for the device id has 20 bytes for it.',
    hardware: 'Devices write 20 bytes or none.',
    wrong: `chain(readable(&header, 16), writable(id, 21), writable(&status, 1));`,
    right: `chain(readable(&header, 16), writable(id, 20), writable(&status, 1));`,
  },
  'block.discard-segments': {
    demanded: 'A discard has at most max_discard_seg segments.',
    hardware: 'The request fails with VIRTIO_BLK_S_UNSUPP or an I/O error.',
    wrong: `send_discard(segments, count);`,
    right: `send_discard(segments, min(count, max_discard_seg));`,
  },
  'block.write-zeroes-segments': {
    demanded: 'A write zeroes request has at most max_write_zeroes_seg segments.',
    hardware: 'The request fails.',
    wrong: `send_write_zeroes(segments, count);`,
    right: `send_write_zeroes(segments, min(count, max_write_zeroes_seg));`,
  },
  'block.unmap-in-discard': {
    demanded: 'The unmap flag of a discard segment is 0.',
    hardware: 'Devices answer VIRTIO_BLK_S_UNSUPP.',
    wrong: `segment.flags = 1; /* discard */`,
    right: `segment.flags = 0;`,
  },
  'block.request-not-negotiated': {
    demanded: 'Optional request types are sent only when their feature was negotiated.',
    hardware: 'An older device does not know the type.',
    wrong: `header.type = VIRTIO_BLK_T_DISCARD;`,
    right: `if (!(accepted & BLK_F_DISCARD)) return -EOPNOTSUPP;
header.type = VIRTIO_BLK_T_DISCARD;`,
  },
  'block.write-to-read-only': {
    demanded: 'A disk that offers VIRTIO_BLK_F_RO is not written.',
    hardware: 'Each write fails, after the caller believed in it.',
    wrong: `submit_write(sector, data);`,
    right: `if (offered & BLK_F_RO) return -EROFS;
submit_write(sector, data);`,
  },
  'block.writeback-read-early': {
    demanded: 'writeback is read after FEATURES_OK.',
    hardware: 'The mode depends on whether VIRTIO_BLK_F_FLUSH is negotiated, and may still change.',
    wrong: `mode = read_config8(WRITEBACK);
write32(Status, status | FEATURES_OK);`,
    right: `write32(Status, status | FEATURES_OK);
if (!(read32(Status) & FEATURES_OK)) return give_up(FAILED);
mode = read_config8(WRITEBACK);`,
  },
  'console.receive-readable': {
    demanded: 'Buffers of receive queues are device-writable.',
    hardware: 'The device cannot put a character anywhere.',
    wrong: `publish(receive, readable(buffer, 64));`,
    right: `publish(receive, writable(buffer, 64));`,
  },
  'console.transmit-writable': {
    demanded: 'Buffers of transmit queues are device-readable.',
    hardware: 'Nothing is printed; a device may even write into the text.',
    wrong: `publish(transmit, writable(text, length));`,
    right: `publish(transmit, readable(text, length));`,
  },
  'entropy.readable': {
    demanded: 'The entropy queue holds device-writable buffers only.',
    hardware: 'The driver takes what stood in its buffer for random.',
    wrong: `publish(queue, readable(seed, 32));`,
    right: `publish(queue, writable(seed, 32));`,
  },
  'entropy.length-not-read': {
    demanded: 'The used length says how many bytes are random.',
    hardware: 'Sources of real entropy give a few bytes at a time; the rest of the buffer is old memory.',
    wrong: `use_random(seed, 32);`,
    right: `use_random(seed, used->ring[slot].len);`,
  },
  'device.fault': {
    demanded: 'A device model keeps to its interface.',
    hardware: 'Only models of your own are concerned.',
    wrong: `context.complete(buffer, buffer.writableLength + 1);`,
    right: `context.complete(buffer, written);`,
  },
  'device.used-not-held': {
    demanded: 'A device gives back the chains that it fetched, each once.',
    hardware: 'Malicious or broken devices; in confidential guests the driver has to expect them.',
    wrong: `request = requests[used->ring[slot].id];`,
    right: `id = used->ring[slot].id;
if (id >= size || requests[id] == NULL) return broken_device();`,
  },
  'device.used-too-long': {
    demanded: 'The used length is at most the device-writable length of the buffer.',
    hardware: 'Malicious or broken devices; a driver that copies the length reads behind its buffer.',
    wrong: `memcpy(target, buffer, used->ring[slot].len);`,
    right: `length = min(used->ring[slot].len, buffer_length);
memcpy(target, buffer, length);`,
  },
  'device.offer-inconsistent': {
    demanded: 'A device offers a feature only together with what it needs.',
    hardware: 'No driver can accept the set correctly.',
    wrong: `features = GUEST_TSO4;`,
    right: `features = GUEST_TSO4 | GUEST_CSUM;`,
  },
};
