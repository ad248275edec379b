// Which watchers an event reaches, by its kind, in the order in which they hear of it: later ones see what earlier ones made of it.
// Guarantees: a watcher that is left out would have changed nothing.
import type { GuestMemory } from '../../bus/memory';
import type { EventKind, VirtioEvent } from '../../record/events';
import { watchAdministration } from './administration';
import { watchConsumption } from './consumption';
import { watchHandshake } from './handshake';
import { watchInterrupt } from './interrupt';
import { watchConfig, watchFeatures } from './negotiation';
import { watchNet } from './net';
import { watchNotification } from './notification';
import { watchPackedRing } from './packed-ring';
import { watchPci } from './pci';
import { watchPolling } from './polling';
import { watchQueueSetup } from './queue-setup';
import { watchSplitRing } from './split-ring';
import type { DeviceState } from './state';
import { watchSuspend } from './suspend';
import { watchWaiting } from './waiting';

export type Watcher = (state: DeviceState, event: VirtioEvent, memory: GuestMemory) => void;

/** A watcher, and the kinds that it takes account of, or all but the kinds that it does not. */
type Row = { readonly watch: Watcher } & (
  { readonly on: readonly EventKind[] } | { readonly exceptOn: readonly EventKind[] }
);

const ringContents = ['ring-store', 'publish', 'fetch', 'used', 'collect', 'suppression'] as const;

export const watcherRows: readonly Row[] = [
  {
    watch: watchPci,
    on: [
      'register-write',
      'pci-command-write',
      'pci-vendor-id-read',
      'interrupt-line',
      'pci-config-write',
      'vector-write',
      'vector-read',
      'status-write',
    ],
  },
  { watch: watchHandshake, exceptOn: ['ring-load', 'ring-store', 'publish', 'collect', 'unordered', 'buffer-access'] },
  { watch: watchSuspend, on: ['suspended', 'resumed', 'status-write', 'status-read'] },
  { watch: watchFeatures, on: ['device-features-read', 'driver-features-write'] },
  {
    watch: watchConfig,
    on: ['config-generation-read', 'config-read', 'status-write', 'queue-select', 'driver-features-write', 'notify'],
  },
  {
    watch: watchQueueSetup,
    on: [
      'guest-page-size-write',
      'queue-size-max-read',
      'queue-setup',
      'queue-align-write',
      'queue-ready-read',
      'queue-ready-write',
      'queue-reset-write',
      'queue-reset-read',
      'queue-reset-done',
    ],
  },
  { watch: watchConsumption, on: ['used', 'collect', 'ring-load', 'publish'] },
  { watch: watchSplitRing, on: ringContents },
  { watch: watchPackedRing, on: ringContents },
  { watch: watchNotification, on: ['publish', 'ring-load', 'notify'] },
  { watch: watchPolling, exceptOn: [] },
  {
    watch: watchInterrupt,
    on: ['interrupt-claim', 'interrupt-status-read', 'interrupt-acknowledge', 'interrupt-complete'],
  },
  {
    watch: watchWaiting,
    on: [
      'publish',
      'used',
      'starved',
      'interrupt',
      'collect',
      'ring-load',
      'ring-store',
      'config-read',
      'config-generation-read',
      'status-read',
      'interrupt-acknowledge',
    ],
  },
  { watch: watchNet, on: ['config-read', 'interrupt', 'interrupt-acknowledge', 'publish'] },
  { watch: watchAdministration, on: ['publish', 'used'] },
];

const known = new Map<EventKind, readonly Watcher[]>();

export function watchersOf(kind: EventKind): readonly Watcher[] {
  const before = known.get(kind);
  if (before !== undefined) return before;
  const found = watcherRows.filter((row) => isOn(row, kind)).map(({ watch }) => watch);
  known.set(kind, found);
  return found;
}

export function isOn(row: Row, kind: EventKind): boolean {
  return 'on' in row ? row.on.includes(kind) : !row.exceptOn.includes(kind);
}
