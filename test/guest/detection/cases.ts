// Every scripted bug, in the order of the collection.
import type { Detection } from './detection';
import { handshakeDetections } from './handshake';
import { memoryDetections } from './memory';
import { netDetections } from './net';
import { orderingDetections } from './ordering';
import { packedDetections } from './packed';
import { pciDetections } from './pci';
import { queueDetections } from './queues';
import { signalDetections } from './signals';
import { waitingDetections } from './waiting';

const all: readonly Detection[] = [
  ...handshakeDetections,
  ...memoryDetections,
  ...netDetections,
  ...orderingDetections,
  ...packedDetections,
  ...pciDetections,
  ...queueDetections,
  ...signalDetections,
  ...waitingDetections,
];

export const detections: readonly Detection[] = [...all].sort((a, b) => a.bug.localeCompare(b.bug));
