// Alarms that real guests raise under moods and that are true: the specification and the guest's own source say so, at the line named.
// docs/real-guests.md tells each in words. A campaign fails for every other alarm, and for one of these that has gone.
import type { MoodSwitch } from '../../../emulator/virtio/mood';

export type GuestName = 'Linux' | 'U-Boot';

export interface TrueAlarm {
  readonly guest: GuestName;
  readonly rule: string;
  /** Where the guest's source does it: file and line of the named release. */
  readonly source: string;
  /** Type of the device; absent: any. */
  readonly device?: string;
  /** Raised only under one of these; absent: under none too. */
  readonly moods?: readonly MoodSwitch[];
}

export const trueAlarms: readonly TrueAlarm[] = [
  {
    guest: 'Linux',
    rule: 'net.num-buffers-sent',
    source: 'drivers/net/virtio_net.c:1873',
    device: 'net',
    moods: ['withheldFeatures'],
  },
  {
    guest: 'Linux',
    rule: 'status.use-after-needs-reset',
    source: 'drivers/virtio/virtio_mmio.c:272',
    moods: ['needsReset'],
  },
  {
    guest: 'Linux',
    rule: 'status.needs-reset-unanswered',
    source: 'drivers/virtio/virtio_ring.c:664',
    moods: ['needsReset'],
  },
  {
    guest: 'Linux',
    rule: 'waiting.config-change-ignored',
    source: 'drivers/virtio/virtio_mmio.c:286',
    device: 'entropy',
    moods: ['needsReset'],
  },
  {
    guest: 'U-Boot',
    rule: 'status.use-after-needs-reset',
    source: 'drivers/virtio/virtio_mmio.c',
    moods: ['needsReset'],
  },
  {
    guest: 'Linux',
    rule: 'status.use-after-needs-reset',
    source: 'drivers/virtio/virtio_mmio.c:272',
    moods: ['needsReset'],
  },
  {
    guest: 'Linux',
    rule: 'waiting.config-change-ignored',
    source: 'drivers/char/hw_random/virtio-rng.c',
    device: 'entropy',
    moods: ['needsReset'],
  },
  { guest: 'U-Boot', rule: 'init.no-reset', source: 'drivers/virtio/virtio-uclass.c:257' },
  { guest: 'U-Boot', rule: 'init.no-acknowledge', source: 'drivers/virtio/virtio-uclass.c:286' },
  { guest: 'U-Boot', rule: 'ordering.publish', source: 'include/virtio_ring.h' },
  { guest: 'U-Boot', rule: 'ordering.stale-fetch', source: 'include/virtio_ring.h', moods: ['storeBuffer'] },
  // A consequence of the next one, where it really happens.
  { guest: 'U-Boot', rule: 'notify.missing', source: 'include/virtio_ring.h', device: 'net', moods: ['storeBuffer'] },
  { guest: 'U-Boot', rule: 'ordering.notification-check', source: 'include/virtio_ring.h' },
  { guest: 'U-Boot', rule: 'ordering.used-index', source: 'include/virtio_ring.h' },
  { guest: 'U-Boot', rule: 'net.mtu-declined', source: 'drivers/virtio/virtio_net.c', device: 'net' },
  { guest: 'U-Boot', rule: 'status.reset-not-read-back', source: 'drivers/virtio/virtio_mmio.c', moods: ['slowReset'] },
];

/** Moods under which a guest's driver cannot work, by its own source; they are left out for that device. */
const beyond: readonly {
  readonly guest: GuestName;
  readonly device: string;
  readonly mood: MoodSwitch;
  readonly source: string;
}[] = [
  // A transmit queue of fewer than 2 + MAX_SKB_FRAGS entries is stopped behind its first packet and never woken.
  { guest: 'Linux', device: 'net', mood: 'smallQueues', source: 'drivers/net/virtio_net.c:1948' },
];

export function isBeyond(guest: GuestName, device: string, mood: MoodSwitch): boolean {
  return beyond.some((row) => row.guest === guest && row.device === device && row.mood === mood);
}

/** Whether an alarm of this rule is known to be true. */
export function isTrue(
  guest: GuestName,
  rule: string,
  deviceType: string,
  moods: readonly MoodSwitch[],
): TrueAlarm | undefined {
  return trueAlarms.find(
    (alarm) =>
      alarm.guest === guest &&
      alarm.rule === rule &&
      (alarm.device === undefined || alarm.device === deviceType) &&
      (alarm.moods === undefined || alarm.moods.some((mood) => moods.includes(mood))),
  );
}
