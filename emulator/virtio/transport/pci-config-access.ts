// What accesses to a virtio-pci function's configuration space mean: the facts they make, and the window through which its structures are
// reached. [virtio 1.4, 4.1.4.8, 4.1.4.9] Guarantees: nothing here changes anything.
import { configOffset, pciCommand, type PciConfigSpace } from '../../board/pci/config-space';
import type { ConfigAccessSize } from '../../board/pci/contract';
import type { RegisterFact } from '../../record/events';
import { capabilityField, capabilityId, cfgType, type PciLayout } from './pci-layout';
import type { Spot } from './pci-spot';

/** The function as its configuration space is seen. */
export interface ConfigSide {
  /** The device's name. */
  readonly name: string;
  readonly space: PciConfigSpace;
  readonly layout: PciLayout;
  /** What stands behind a base address register. */
  spot(bar: number, offset: number): Spot;
  /** The facts of an access there. */
  facts(spot: Spot, size: ConfigAccessSize, kind: 'read' | 'write', value: bigint): readonly RegisterFact[];
}

/** The access window, opened. */
export interface Opening {
  readonly bar: number;
  readonly offset: number;
  /** What is moved, and the length as the driver wrote it. */
  readonly length: ConfigAccessSize;
  readonly given: number;
  readonly dataOffset: number;
  /** Undefined when the window points nowhere. */
  readonly spot: Spot | undefined;
  readonly inside: boolean;
}

export function configFacts(
  side: ConfigSide,
  offset: number,
  size: ConfigAccessSize,
  kind: 'read' | 'write',
  value: number,
): readonly RegisterFact[] {
  const { name: device, space } = side;
  const facts: RegisterFact[] = [];
  if (kind === 'write') {
    const capability = space.capabilityAt(offset);
    facts.push({
      kind: 'pci-config-write',
      device,
      offset,
      size,
      value,
      field: space.nameAt(offset),
      ...(capability !== undefined && {
        capability: {
          id: capability.id,
          cfgType: capability.id === capabilityId.vendor ? capability.body[1] : undefined,
          at: offset - capability.offset,
        },
      }),
    });
    if (offset < configOffset.command + 2 && offset + size > configOffset.command) {
      facts.push({ kind: 'pci-command-write', device, ...commandAfter(space.command, offset, size, value) });
    }
  }
  if (kind === 'read') facts.push(...vendorIdRead(side, offset, size));
  const opening = openWindow(side, offset, size);
  if (opening === undefined) return facts;
  const { spot, bar, offset: at, length, dataOffset, given } = opening;
  facts.push({ kind: 'pci-window-access', device, bar, offset: at, length: given, inside: opening.inside });
  if (spot === undefined) return facts;
  const data = replaced(space.read(dataOffset, length), dataOffset, length, offset, size, value);
  return [...facts, ...side.facts(spot, length, kind, BigInt(data))];
}

/** What an access to pci_cfg_data leads to; undefined where that is not touched. [4.1.4.9] */
export function openWindow(side: ConfigSide, offset: number, size: ConfigAccessSize): Opening | undefined {
  const { space, layout } = side;
  const window = space.capabilities.find(
    ({ id, body }) => id === capabilityId.vendor && body[1] === cfgType['config-access'],
  );
  if (window === undefined) return undefined;
  const dataOffset = window.offset + capabilityField.data;
  if (offset + size <= dataOffset || offset >= dataOffset + 4) return undefined;
  const bar = space.read(window.offset + capabilityField.bar, 1);
  const at = space.read(window.offset + capabilityField.offset, 4);
  const given = space.read(window.offset + capabilityField.length, 4);
  const length = given === 1 || given === 2 ? given : 4;
  const limit = layout.bars.find(({ index }) => index === bar)?.sizeBytes ?? 0;
  const reaches = length === given && at % length === 0 && at + length <= limit;
  return {
    ...{ bar, offset: at, length, given, dataOffset },
    spot: reaches ? side.spot(bar, at) : undefined,
    inside: layout.structures.some(
      (one) =>
        ['common', 'notify', 'isr', 'device'].includes(one.kind) &&
        one.bar === bar &&
        at >= one.offset &&
        at + given <= one.offset + one.length,
    ),
  };
}

function vendorIdRead({ name, space }: ConfigSide, offset: number, size: ConfigAccessSize): readonly RegisterFact[] {
  const capability = space.capabilityAt(offset);
  if (capability?.id !== capabilityId.vendor || capability.body[1] !== cfgType.vendor) return [];
  const at = offset - capability.offset;
  if (at >= capabilityField.vendorId + 2 || at + size <= capabilityField.vendorId) return [];
  const value = space.read(capability.offset + capabilityField.vendorId, 2);
  return [{ kind: 'pci-vendor-id-read', device: name, value }];
}

function commandAfter(
  before: number,
  offset: number,
  size: ConfigAccessSize,
  value: number,
): { before: number; after: number } {
  const { ioSpace, memorySpace, busMaster, interruptDisable } = pciCommand;
  const settable = ioSpace | memorySpace | busMaster | interruptDisable;
  return { before, after: replaced(before, configOffset.command, 2, offset, size, value) & settable };
}

/** `size` bytes at `offset` laid over the `width` bytes of `old` at `start`. */
function replaced(old: number, start: number, width: number, offset: number, size: number, value: number): number {
  let result = 0;
  for (let i = width - 1; i >= 0; i--) {
    const at = start + i - offset;
    const byte = at >= 0 && at < size ? (value >>> (at * 8)) & 0xff : (old >>> (i * 8)) & 0xff;
    result = result * 256 + byte;
  }
  return result;
}
