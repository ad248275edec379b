// Devices that a guest missed because the launch configuration is not what it was written for: its driver speaks the other version of
// virtio-mmio, or looks into another slot. Such guests give up without a word that leads there. [virtio 1.4, 4.2.3.1.1, 4.2.4]
import { virtioSlot, virtioSlots } from '../../emulator/board/memory-map';
import type { Machine } from '../../emulator/machine';

const other = {
  mmio: 'Drivers for what QEMU offers by default expect version 1: for those set "transport": "mmio-legacy".',
  'mmio-legacy': 'Drivers for virtio 1.0 and later expect version 2: for those set "transport": "mmio".',
} as const;

/** One sentence for each such device; none while a driver may still come to it. */
export function unmetDevices(machine: Machine): readonly string[] {
  const { monitor, virtio } = machine;
  const empty = Array.from({ length: virtioSlots.count }, (_, slot) => slot).filter(
    (slot) => monitor.device(`slot${slot}`)?.identity.magicRead === true,
  );
  return virtio.devices.flatMap((device) => {
    const { name } = device;
    const state = monitor.device(name);
    if (state === undefined) return [];
    const { description, identity, handshake, lap } = state;
    const { transport } = description;
    if (transport !== 'mmio' && transport !== 'mmio-legacy') return [];
    if (handshake.written !== 0 || lap > 0) return [];
    if (!identity.magicRead && !identity.usedOtherwise && empty.length > 0) {
      const { slot } = device.inspect();
      const [first = 0] = empty;
      const found = empty.length === 1 ? `slot ${first}, which is` : `slots ${empty.join(', ')}, which are`;
      return [
        `${name}: the guest looked for devices in ${found} empty, and not in slot ${slot}, where this one is. For a driver of ` +
          `0x${virtioSlot(first).base.toString(16)} (QEMU's bus=virtio-mmio-bus.${first}) set "slot": ${first}.`,
      ];
    }
    // Whoever reads on behind Version has taken it.
    if (!identity.versionRead || identity.deviceIdRead) return [];
    const version = transport === 'mmio' ? 2 : 1;
    return [`${name}: the guest read Version ${version} and left the device alone. ${other[transport]}`];
  });
}
