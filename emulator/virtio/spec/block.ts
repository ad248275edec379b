// Block device: features, configuration space, requests. [virtio 1.4, 5.2]
import type { ConfigField } from '../device/interface';
import type { FeatureBit } from './feature';
import type { WireStructure } from './wire-layout';

/** Bytes; the unit of `sector` whatever blk_size says. [5.2.6] */
export const sectorBytes = 512;

export const blockFeature = {
  SIZE_MAX: 1,
  SEG_MAX: 2,
  GEOMETRY: 4,
  RO: 5,
  BLK_SIZE: 6,
  FLUSH: 9,
  TOPOLOGY: 10,
  CONFIG_WCE: 11,
  MQ: 12,
  DISCARD: 13,
  WRITE_ZEROES: 14,
  LIFETIME: 15,
  SECURE_ERASE: 16,
  ZONED: 17,
} as const;

const section = '5.2.3';
const group = 'device';

export const blockFeatures: readonly FeatureBit[] = [
  {
    bit: 0,
    name: 'VIRTIO_BLK_F_BARRIER',
    group,
    meaning: 'The device honours request barriers.',
    section: '5.2.3.1',
    legacy: true,
  },
  {
    bit: blockFeature.SIZE_MAX,
    name: 'VIRTIO_BLK_F_SIZE_MAX',
    group,
    meaning: 'size_max limits the bytes of one segment.',
    section,
  },
  {
    bit: blockFeature.SEG_MAX,
    name: 'VIRTIO_BLK_F_SEG_MAX',
    group,
    meaning: 'seg_max limits the segments of one request.',
    section,
  },
  {
    bit: blockFeature.GEOMETRY,
    name: 'VIRTIO_BLK_F_GEOMETRY',
    group,
    meaning: 'geometry gives cylinders, heads and sectors.',
    section,
  },
  { bit: blockFeature.RO, name: 'VIRTIO_BLK_F_RO', group, meaning: 'The disk cannot be written.', section },
  {
    bit: blockFeature.BLK_SIZE,
    name: 'VIRTIO_BLK_F_BLK_SIZE',
    group,
    meaning: 'blk_size gives the block size that suits the disk best.',
    section,
  },
  {
    bit: 7,
    name: 'VIRTIO_BLK_F_SCSI',
    group,
    meaning: 'The device passes SCSI commands on.',
    section: '5.2.3.1',
    legacy: true,
  },
  {
    bit: blockFeature.FLUSH,
    name: 'VIRTIO_BLK_F_FLUSH',
    group,
    meaning: 'The device has a write cache and a flush request for it.',
    section,
    aliases: ['VIRTIO_BLK_F_WCE'],
  },
  {
    bit: blockFeature.TOPOLOGY,
    name: 'VIRTIO_BLK_F_TOPOLOGY',
    group,
    meaning: 'topology says which sizes and alignments are fast.',
    section,
  },
  {
    bit: blockFeature.CONFIG_WCE,
    name: 'VIRTIO_BLK_F_CONFIG_WCE',
    group,
    meaning: 'The driver can switch the write cache on and off.',
    section,
  },
  { bit: blockFeature.MQ, name: 'VIRTIO_BLK_F_MQ', group, meaning: 'There are num_queues request queues.', section },
  {
    bit: blockFeature.DISCARD,
    name: 'VIRTIO_BLK_F_DISCARD',
    group,
    meaning: 'Sectors can be given up by a discard request.',
    section,
  },
  {
    bit: blockFeature.WRITE_ZEROES,
    name: 'VIRTIO_BLK_F_WRITE_ZEROES',
    group,
    meaning: 'Sectors can be zeroed without sending the zeros.',
    section,
  },
  {
    bit: blockFeature.LIFETIME,
    name: 'VIRTIO_BLK_F_LIFETIME',
    group,
    meaning: 'The device tells how worn its storage is.',
    section,
  },
  {
    bit: blockFeature.SECURE_ERASE,
    name: 'VIRTIO_BLK_F_SECURE_ERASE',
    group,
    meaning: 'Sectors can be erased beyond recovery.',
    section,
  },
  {
    bit: blockFeature.ZONED,
    name: 'VIRTIO_BLK_F_ZONED',
    group,
    meaning: 'The disk is divided into zones with their own write rules.',
    section,
  },
];

/** struct virtio_blk_config. [5.2.4] */
export const blockConfigFields: readonly ConfigField[] = [
  { name: 'capacity', offset: 0, size: 8, meaning: 'disk size in sectors of 512 bytes' },
  { name: 'size_max', offset: 8, size: 4, feature: blockFeature.SIZE_MAX, meaning: 'most bytes in one segment' },
  { name: 'seg_max', offset: 12, size: 4, feature: blockFeature.SEG_MAX, meaning: 'most segments in one request' },
  { name: 'geometry.cylinders', offset: 16, size: 2, feature: blockFeature.GEOMETRY, meaning: 'cylinders' },
  { name: 'geometry.heads', offset: 18, size: 1, feature: blockFeature.GEOMETRY, meaning: 'heads' },
  { name: 'geometry.sectors', offset: 19, size: 1, feature: blockFeature.GEOMETRY, meaning: 'sectors per track' },
  { name: 'blk_size', offset: 20, size: 4, feature: blockFeature.BLK_SIZE, meaning: 'preferred block size in bytes' },
  {
    name: 'topology.physical_block_exp',
    offset: 24,
    size: 1,
    feature: blockFeature.TOPOLOGY,
    meaning: 'logical blocks in a physical block, as a power of two',
  },
  {
    name: 'topology.alignment_offset',
    offset: 25,
    size: 1,
    feature: blockFeature.TOPOLOGY,
    meaning: 'first aligned logical block',
  },
  {
    name: 'topology.min_io_size',
    offset: 26,
    size: 2,
    feature: blockFeature.TOPOLOGY,
    meaning: 'smallest good transfer in blocks',
  },
  {
    name: 'topology.opt_io_size',
    offset: 28,
    size: 4,
    feature: blockFeature.TOPOLOGY,
    meaning: 'best transfer in blocks',
  },
  {
    name: 'writeback',
    offset: 32,
    size: 1,
    feature: blockFeature.CONFIG_WCE,
    writable: true,
    meaning: '1 write cache on, 0 off',
  },
  { name: 'unused0', offset: 33, size: 1, meaning: 'padding' },
  { name: 'num_queues', offset: 34, size: 2, feature: blockFeature.MQ, meaning: 'request queues' },
  {
    name: 'max_discard_sectors',
    offset: 36,
    size: 4,
    feature: blockFeature.DISCARD,
    meaning: 'most sectors in a discard segment',
  },
  {
    name: 'max_discard_seg',
    offset: 40,
    size: 4,
    feature: blockFeature.DISCARD,
    meaning: 'most segments in a discard request',
  },
  {
    name: 'discard_sector_alignment',
    offset: 44,
    size: 4,
    feature: blockFeature.DISCARD,
    meaning: 'sectors to which discards should be aligned',
  },
  {
    name: 'max_write_zeroes_sectors',
    offset: 48,
    size: 4,
    feature: blockFeature.WRITE_ZEROES,
    meaning: 'most sectors in a write zeroes segment',
  },
  {
    name: 'max_write_zeroes_seg',
    offset: 52,
    size: 4,
    feature: blockFeature.WRITE_ZEROES,
    meaning: 'most segments in a write zeroes request',
  },
  {
    name: 'write_zeroes_may_unmap',
    offset: 56,
    size: 1,
    feature: blockFeature.WRITE_ZEROES,
    meaning: 'whether writing zeros can give sectors up',
  },
  { name: 'unused1[0]', offset: 57, size: 1, feature: blockFeature.WRITE_ZEROES, meaning: 'padding' },
  { name: 'unused1[1]', offset: 58, size: 1, feature: blockFeature.WRITE_ZEROES, meaning: 'padding' },
  { name: 'unused1[2]', offset: 59, size: 1, feature: blockFeature.WRITE_ZEROES, meaning: 'padding' },
  {
    name: 'max_secure_erase_sectors',
    offset: 60,
    size: 4,
    feature: blockFeature.SECURE_ERASE,
    meaning: 'most sectors in a secure erase segment',
  },
  {
    name: 'max_secure_erase_seg',
    offset: 64,
    size: 4,
    feature: blockFeature.SECURE_ERASE,
    meaning: 'most segments in a secure erase request',
  },
  {
    name: 'secure_erase_sector_alignment',
    offset: 68,
    size: 4,
    feature: blockFeature.SECURE_ERASE,
    meaning: 'sectors to which secure erases should be aligned',
  },
  { name: 'zoned.zone_sectors', offset: 72, size: 4, feature: blockFeature.ZONED, meaning: 'sectors in a zone' },
  {
    name: 'zoned.max_open_zones',
    offset: 76,
    size: 4,
    feature: blockFeature.ZONED,
    meaning: 'most zones open at once',
  },
  {
    name: 'zoned.max_active_zones',
    offset: 80,
    size: 4,
    feature: blockFeature.ZONED,
    meaning: 'most zones active at once',
  },
  {
    name: 'zoned.max_append_sectors',
    offset: 84,
    size: 4,
    feature: blockFeature.ZONED,
    meaning: 'most sectors in a zone append',
  },
  {
    name: 'zoned.write_granularity',
    offset: 88,
    size: 4,
    feature: blockFeature.ZONED,
    meaning: 'bytes to which zone writes are aligned',
  },
  { name: 'zoned.model', offset: 92, size: 1, feature: blockFeature.ZONED, meaning: 'kind of zoned disk' },
];

/** struct virtio_blk_req up to its data; data follows, then one status byte. [5.2.6] */
export const blockRequestHeader: WireStructure = {
  name: 'virtio_blk_req',
  size: 16,
  section: '5.2.6',
  fields: [
    { name: 'type', offset: 0, type: 'le32', size: 4, meaning: 'what to do' },
    { name: 'reserved', offset: 4, type: 'le32', size: 4, meaning: 'not used' },
    { name: 'sector', offset: 8, type: 'le64', size: 8, meaning: 'first sector, in units of 512 bytes' },
  ],
};

/** struct virtio_blk_discard_write_zeroes. [5.2.6] */
export const blockRangeSegment: WireStructure = {
  name: 'virtio_blk_discard_write_zeroes',
  size: 16,
  section: '5.2.6',
  fields: [
    { name: 'sector', offset: 0, type: 'le64', size: 8, meaning: 'first sector' },
    { name: 'num_sectors', offset: 8, type: 'le32', size: 4, meaning: 'number of sectors' },
    { name: 'flags', offset: 12, type: 'le32', size: 4, meaning: 'bit 0: unmap' },
  ],
};
/** Bit of the segment's flags. */
export const unmapFlag = 1;

export const blockRequestType = {
  IN: 0,
  OUT: 1,
  FLUSH: 4,
  GET_ID: 8,
  GET_LIFETIME: 10,
  DISCARD: 11,
  WRITE_ZEROES: 13,
  SECURE_ERASE: 14,
} as const;
export type BlockRequestName = keyof typeof blockRequestType;

/** What each request type moves, for decoding a chain without executing it. [5.2.6] */
export const blockRequestTypes: readonly {
  readonly name: string;
  readonly type: number;
  /** Where the data part goes. */
  readonly data: 'from device' | 'to device' | 'none';
  readonly meaning: string;
  /** Feature that makes the request available. */
  readonly feature?: number;
}[] = [
  { name: 'VIRTIO_BLK_T_IN', type: 0, data: 'from device', meaning: 'read' },
  { name: 'VIRTIO_BLK_T_OUT', type: 1, data: 'to device', meaning: 'write' },
  { name: 'VIRTIO_BLK_T_FLUSH', type: 4, data: 'none', meaning: 'flush', feature: blockFeature.FLUSH },
  { name: 'VIRTIO_BLK_T_GET_ID', type: 8, data: 'from device', meaning: 'get id' },
  {
    name: 'VIRTIO_BLK_T_GET_LIFETIME',
    type: 10,
    data: 'from device',
    meaning: 'get lifetime',
    feature: blockFeature.LIFETIME,
  },
  { name: 'VIRTIO_BLK_T_DISCARD', type: 11, data: 'to device', meaning: 'discard', feature: blockFeature.DISCARD },
  {
    name: 'VIRTIO_BLK_T_WRITE_ZEROES',
    type: 13,
    data: 'to device',
    meaning: 'write zeroes',
    feature: blockFeature.WRITE_ZEROES,
  },
  {
    name: 'VIRTIO_BLK_T_SECURE_ERASE',
    type: 14,
    data: 'to device',
    meaning: 'secure erase',
    feature: blockFeature.SECURE_ERASE,
  },
];

export const blockStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
export type BlockStatusName = keyof typeof blockStatus;

/** Length of the answer to VIRTIO_BLK_T_GET_ID. [5.2.6] */
export const blockIdBytes = 20;

const statusNames = new Map<number, string>(
  Object.entries(blockStatus).map(([name, value]) => [value, `VIRTIO_BLK_S_${name}`]),
);

/** For people. */
export function blockStatusText(value: number): string {
  return statusNames.get(value) ?? `status ${value}`;
}
