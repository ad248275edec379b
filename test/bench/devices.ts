// The devices of the benchmark's guests, for the emulator and for QEMU: as alike as the two can be configured. Block: a disk image of the
// sample, changes forgotten. Net: the user networks of both, whose gateways answer ARP inside the process, so that no host socket is measured.
import * as path from 'node:path';
import { sampleFolder } from '../guest/harness/compiler';
import type { BenchGuest } from './guests';

const disk = path.join(sampleFolder, 'disk.img');

function kindOf({ usesDisk, requests }: BenchGuest): 'block' | 'net' | undefined {
  return requests?.device ?? (usesDisk === true ? 'block' : undefined);
}

/** As in a launch configuration. */
export function ownDevices(guest: BenchGuest): readonly object[] {
  const ring = guest.requests?.ring ?? 'split';
  switch (kindOf(guest)) {
    case 'block':
      return [{ type: 'block', name: 'vda', image: disk, mode: 'overlay', ring }];
    case 'net':
      return [{ type: 'net', name: 'net0', backend: 'user', ring }];
    default:
      return [];
  }
}

/** Words of QEMU's command line. */
export function qemuDevices(guest: BenchGuest): readonly string[] {
  const packed = guest.requests?.ring === 'packed' ? ',packed=on' : '';
  const current = ['-global', 'virtio-mmio.force-legacy=false'];
  switch (kindOf(guest)) {
    case 'block':
      return [
        ...current,
        ...['-drive', `file=${disk},if=none,format=raw,snapshot=on,id=disk`],
        ...['-device', `virtio-blk-device,drive=disk${packed}`],
      ];
    case 'net':
      return [...current, '-netdev', 'user,id=net', '-device', `virtio-net-device,netdev=net${packed}`];
    default:
      return [];
  }
}
