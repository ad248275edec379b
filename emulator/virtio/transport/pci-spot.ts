// What one place behind a base address register of a virtio-pci device is, and how accesses to it are taken apart.
// [virtio 1.4, 4.1.3.1, 4.1.4]
import type { AccessSize } from '../../bus/access';
import type { PciStructureName } from '../../record/events';
import type { Half } from './access-facts';
import type { PlacedStructure } from './pci-layout';
import { legacyHeader } from './pci-legacy-registers';
import { pciCommonRegisters, type PciRegister } from './pci-registers';

/** `at` counts bytes from the start of what the place belongs to. */
export type Spot = {
  readonly structure: PciStructureName;
  readonly instance: number;
  readonly at: number;
} & (
  | { readonly kind: 'field'; readonly registers: readonly PciRegister[] }
  | { readonly kind: 'config' | 'notify' | 'isr' | 'table' | 'pending' | 'memory' | 'nothing' }
);

const kinds = {
  notify: 'notify',
  isr: 'isr',
  device: 'config',
  'msix-table': 'table',
  'msix-pba': 'pending',
  'shared-memory': 'memory',
  reserved: 'nothing',
  none: 'nothing',
} as const;

/** @param msix whether MSI-X is switched on: then the legacy header is four bytes longer. [4.1.4.10] */
export function spotAt(structures: readonly PlacedStructure[], bar: number, offset: number, msix: boolean): Spot {
  const found = structures.find((one) => one.bar === bar && offset >= one.offset && offset < one.offset + one.length);
  if (found === undefined) return { kind: 'nothing', structure: 'none', instance: 0, at: offset };
  const { kind: structure, instance } = found;
  const at = offset - found.offset;
  if (structure === 'common') return { kind: 'field', structure, instance, at, registers: pciCommonRegisters };
  if (structure !== 'legacy') return { kind: kinds[structure], structure, instance, at };
  const { registers, bytes } = legacyHeader(msix);
  return at < bytes
    ? { kind: 'field', structure, instance, at, registers }
    : { kind: 'config', structure, instance, at: at - bytes };
}

/** Parts of an access: those of 8 bytes to configuration and tables are two, low half first. */
export function partsOf(
  spot: Spot,
  offset: number,
  size: AccessSize,
  value: bigint,
): readonly (readonly [offset: number, size: AccessSize, value: bigint, half: Half])[] {
  if (size !== 8 || !(spot.kind === 'config' || spot.kind === 'table' || spot.kind === 'pending')) {
    return [[offset, size, value, undefined]];
  }
  return [
    [offset, 4, value & 0xffff_ffffn, 'low'],
    [offset + 4, 4, value >> 32n, 'high'],
  ];
}
