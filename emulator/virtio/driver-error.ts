// What a device does about a driver's mistake, as a table: mistake by policy. Whether the mistake is reported is the rules' business
// and changes nothing here. [design: what the device does about it]
import type { OnDriverError } from '../configuration';
import type { ChainDefect } from '../record/events';

export type DriverErrorKind =
  /** FEATURES_OK was written with a feature in the set that was not offered. */
  | 'features'
  /** FEATURES_OK was written with a set that lacks what another of its features builds on, or VIRTIO_F_VERSION_1. */
  | 'incomplete-features'
  /** A register write that makes no sense here: read-only, wrong width, out of range, at the wrong time. */
  | 'register-write'
  /** QueueReady was set although an area does not lie in RAM. */
  | 'queue-outside-memory'
  /** The available index moved by more than the queue's size. */
  | 'available-index'
  /** A chain that cannot be walked to its end. */
  | 'chain'
  /** A chain that breaks a rule but can be served. */
  | 'odd-chain'
  /** The device model cannot make sense of a buffer. */
  | 'request';

/**
 * `refuse`: the write has no effect. `proceed`: serve it as far as it goes. `skip`: leave it, or give the buffer back unused.
 * `needs-reset`: stop and set DEVICE_NEEDS_RESET.
 */
export type Reaction = 'refuse' | 'proceed' | 'skip' | 'needs-reset';

/** The row `qemu` follows QEMU's virtio core; there `needs-reset` is what it does where it marks a device broken. */
export const reactions: Readonly<Record<OnDriverError, Readonly<Record<DriverErrorKind, Reaction>>>> = {
  qemu: {
    features: 'refuse',
    // QEMU lets a driver go on that leaves VIRTIO_F_VERSION_1 out; teaching systems rely on it.
    'incomplete-features': 'proceed',
    'register-write': 'refuse',
    'queue-outside-memory': 'needs-reset',
    'available-index': 'needs-reset',
    chain: 'needs-reset',
    'odd-chain': 'proceed',
    request: 'needs-reset',
  },
  'needs-reset': {
    features: 'needs-reset',
    'incomplete-features': 'needs-reset',
    'register-write': 'needs-reset',
    'queue-outside-memory': 'needs-reset',
    'available-index': 'needs-reset',
    chain: 'needs-reset',
    'odd-chain': 'needs-reset',
    request: 'needs-reset',
  },
  ignore: {
    features: 'proceed',
    'incomplete-features': 'proceed',
    'register-write': 'refuse',
    'queue-outside-memory': 'skip',
    'available-index': 'skip',
    chain: 'skip',
    'odd-chain': 'proceed',
    request: 'skip',
  },
};

/** Which chain defects leave nothing to serve (QEMU calls them errors) and which it does not even notice. */
const defectWeight: Readonly<Record<ChainDefect['kind'], 'chain' | 'odd-chain'>> = {
  'head-out-of-range': 'chain',
  'next-out-of-range': 'chain',
  loop: 'chain',
  'too-long': 'odd-chain',
  'too-many-bytes': 'odd-chain',
  'readable-after-writable': 'chain',
  'indirect-not-negotiated': 'odd-chain',
  'indirect-nested': 'odd-chain',
  'indirect-and-next': 'odd-chain',
  'indirect-length': 'chain',
  'indirect-outside-memory': 'chain',
  'buffer-outside-memory': 'chain',
  'zero-length': 'chain',
  'not-available': 'odd-chain',
  'indirect-entry-flags': 'odd-chain',
};

/** The heaviest kind of error among a chain's defects; undefined for a sound chain. */
export function chainErrorKind(defects: readonly ChainDefect[]): 'chain' | 'odd-chain' | undefined {
  if (defects.length === 0) return undefined;
  return defects.some((d) => defectWeight[d.kind] === 'chain') ? 'chain' : 'odd-chain';
}

/** One clause for people. */
export function chainDefectText(defect: ChainDefect): string {
  switch (defect.kind) {
    case 'head-out-of-range':
      return `head ${defect.head} is not below the queue size ${defect.queueSize}`;
    case 'next-out-of-range':
      return `descriptor ${defect.index} continues at ${defect.next}, its table has ${defect.limit} entries`;
    case 'loop':
      return `the chain comes back to descriptor ${defect.index}`;
    case 'too-long':
      return `the chain has ${defect.count} or more descriptors, the queue size is ${defect.limit}`;
    case 'too-many-bytes':
      return `the chain has ${defect.bytes} or more bytes`;
    case 'readable-after-writable':
      return `descriptor ${defect.index} is device-readable but follows a device-writable one`;
    case 'indirect-not-negotiated':
      return `descriptor ${defect.index} is indirect, which was not negotiated`;
    case 'indirect-nested':
      return `descriptor ${defect.index} of an indirect table is itself indirect`;
    case 'indirect-and-next':
      return `descriptor ${defect.index} is indirect and continues`;
    case 'indirect-length':
      return `the indirect table of descriptor ${defect.index} has ${defect.length} bytes`;
    case 'indirect-outside-memory':
      return `the indirect table of descriptor ${defect.index} at 0x${defect.address.toString(16)} is not in RAM`;
    case 'buffer-outside-memory':
      return `the buffer of descriptor ${defect.index} at 0x${defect.address.toString(16)}, ${defect.length} bytes, is not in RAM`;
    case 'zero-length':
      return `the buffer of descriptor ${defect.index} has no bytes`;
    case 'not-available':
      return `descriptor ${defect.index} is not available in this lap, its flags are 0x${defect.flags.toString(16)}`;
    case 'indirect-entry-flags':
      return `entry ${defect.index} of the indirect table has flags 0x${defect.flags.toString(16)}`;
  }
}
