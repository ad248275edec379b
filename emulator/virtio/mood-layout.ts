// How a virtio-pci device lays itself out under a mood: bait capabilities, permuted doorbells, few vectors. [virtio 1.4, 4.1.4, 4.1.5.1.2]
// Guarantees: what the configuration says itself stays; the first structure of each type is one that works.
import type { PciCapabilityName, PciOptions } from '../configuration';
import type { DeviceMood } from './mood';

const structures: readonly PciCapabilityName[] = ['common', 'isr', 'device', 'notify', 'config-access'];
const baits: readonly PciCapabilityName[] = ['reserved-type', 'reserved-bar', 'vendor'];
const fewest = 2;

/** @param queues how many the device has */
export function layoutInMood(options: PciOptions, queues: number, mood: DeviceMood): PciOptions {
  const { msixVectors = 0 } = options;
  return {
    ...(mood.has('baitCapabilities') && baitLayout(queues, mood)),
    ...options,
    ...(mood.has('fewVectors') && { msixVectors: Math.min(msixVectors, 1 + mood.choose(fewest)) }),
  };
}

function baitLayout(queues: number, mood: DeviceMood): PciOptions {
  // One more does not make the list too long for the configuration space.
  const again = structures[mood.choose(4)] ?? 'common';
  return {
    // A structure that is offered twice comes behind the first one, which the device prefers.
    capabilities: [...mixed([...structures, ...baits], mood), again],
    firstOffset: 0x100 * mood.choose(4),
    queueNotifyOff: mixed(
      Array.from({ length: queues }, (_, queue) => queue),
      mood,
    ),
  };
}

function mixed<Item>(items: readonly Item[], mood: DeviceMood): readonly Item[] {
  const left = [...items];
  return items.flatMap(() => left.splice(mood.choose(left.length), 1));
}
