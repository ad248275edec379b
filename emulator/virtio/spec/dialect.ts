// Handshake dialects as tables: which status bits a driver sets in which order, where the device judges the accepted features, what
// settles them and when the device goes live. [virtio 1.4, 3.1.1, 3.1.2; the VIRTIO-30 draft of 2013, which was never published]

import { status } from './status';

/** Dialects that a configuration names. `legacy` is spoken over the legacy transports and by the legacy half of a transitional device. */
export type DialectName = '1.x' | 'legacy' | 'draft-virtio30';

export interface DialectStep {
  readonly name: string;
  /** Status bit that the driver sets. */
  readonly mask: number;
  /** What the driver does once the bit is set, up to the next one. */
  readonly next: string;
}

export interface Dialect {
  readonly name: DialectName;
  /** The order is “that …”. */
  readonly demandedBy: string;
  readonly steps: readonly DialectStep[];
  /** Bits at whose setting the device judges the accepted features. It clears again what it refuses. */
  readonly judgedAt: number;
  /** The bit that settles the features; 0: the device's first use does. */
  readonly settledBy: number;
  /** The bit with which the device goes live. Notifications before that wait. */
  readonly liveBy: number;
  /** Whether a notification before that makes the device live all the same. */
  readonly liveAtFirstUse: boolean;
}

/** The draft's name for bit 3, which FEATURES_OK took over. The device may consume buffers from there on. */
export const DEVICE_OK = 8;

const acknowledge: DialectStep = {
  name: 'ACKNOWLEDGE',
  mask: status.ACKNOWLEDGE,
  next: 'the driver sets DRIVER when it knows how to drive this device, or FAILED',
};

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  '1.x': {
    name: '1.x',
    demandedBy: 'that 1.x demands',
    steps: [
      acknowledge,
      {
        name: 'DRIVER',
        mask: status.DRIVER,
        next: 'the driver reads DeviceFeatures, writes DriverFeatures and sets FEATURES_OK; or it sets FAILED',
      },
      {
        name: 'FEATURES_OK',
        mask: status.FEATURES_OK,
        next: 'the driver reads status again, sets up its queues and sets DRIVER_OK; or it sets FAILED',
      },
      { name: 'DRIVER_OK', mask: status.DRIVER_OK, next: '' },
    ],
    judgedAt: status.FEATURES_OK,
    settledBy: status.FEATURES_OK,
    liveBy: status.DRIVER_OK,
    liveAtFirstUse: false,
  },
  legacy: {
    name: 'legacy',
    demandedBy: 'of legacy drivers',
    steps: [
      acknowledge,
      {
        name: 'DRIVER',
        mask: status.DRIVER,
        next: 'the driver reads the offer, writes its choice, sets up its queues and sets DRIVER_OK; or it sets FAILED',
      },
      { name: 'DRIVER_OK', mask: status.DRIVER_OK, next: '' },
    ],
    judgedAt: 0,
    settledBy: 0,
    liveBy: status.DRIVER_OK,
    liveAtFirstUse: true,
  },
  'draft-virtio30': {
    name: 'draft-virtio30',
    demandedBy: 'that the VIRTIO-30 draft demands',
    steps: [
      {
        ...acknowledge,
        next: 'the driver reads DeviceFeatures, writes DriverFeatures and sets DRIVER; or it sets FAILED',
      },
      {
        name: 'DRIVER',
        mask: status.DRIVER,
        next: 'the driver reads status again, may accept less, sets up its queues and sets DRIVER_OK; or it sets FAILED',
      },
      {
        name: 'DRIVER_OK',
        mask: status.DRIVER_OK,
        next: 'the driver reads status again, may make buffers available, and sets DEVICE_OK; or it sets FAILED',
      },
      { name: 'DEVICE_OK', mask: DEVICE_OK, next: '' },
    ],
    judgedAt: status.DRIVER | status.DRIVER_OK,
    settledBy: status.DRIVER_OK,
    liveBy: DEVICE_OK,
    liveAtFirstUse: false,
  },
};
