// The table of a campaign: which guests, around which machines, under which moods. A row of either list multiplies the runs.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { type MoodSwitch, moodTable, strictMood } from '../../../emulator/virtio/mood';
import { repository } from '../harness/compiler';
import { makeExt4 } from '../harness/ext4';
import type { LinuxGuest } from '../linux/guest';
import type { MoodRun } from './run';

const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const uboot = '/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin';

export interface MoodChoice {
  readonly name: string;
  readonly moods: readonly MoodSwitch[];
}

/** Each alone, and the combination that a launch configuration calls strict. */
export const moodChoices: readonly MoodChoice[] = [
  { name: 'friendly', moods: [] },
  { name: 'strict', moods: strictMood },
  ...moodTable.map(({ name }) => ({ name, moods: [name] })),
];

export interface Around {
  readonly name: string;
  readonly transport: 'mmio' | 'pci';
  readonly ring: 'split' | 'packed';
  readonly harts: number;
}

export const arounds: readonly Around[] = (['mmio', 'pci'] as const).flatMap((transport) =>
  (['split', 'packed'] as const).flatMap((ring) =>
    [1, 4].map((harts) => ({ name: `${transport} ${ring} ${harts}`, transport, ring, harts })),
  ),
);

/** Linux with all four devices at once. */
export function linuxRun(
  guest: LinuxGuest,
  { name, transport, ring, harts }: Around,
  mood: MoodChoice,
  seed: number,
): MoodRun {
  const common = { transport, ring };
  const checks = [
    'block-read',
    'block-write',
    'block-fsync',
    'entropy-device',
    'net-dhcp',
    'net-ping',
    'net-dns',
    'getrandom',
    'console-write',
  ];
  return {
    name: `Linux, ${name}, ${mood.name}, seed ${seed}`,
    guest: 'Linux',
    moods: mood.moods,
    seed,
    harts,
    launch: { kernel: guest.image, initrd: guest.initrd, bios: firmware, memory: '256M', append: 'console=ttyS0 dhcp' },
    devices: [
      { type: 'block', name: 'vda', image: guest.disk, mode: 'overlay', ...common },
      { type: 'net', name: 'net0', backend: 'user', ...common },
      { type: 'console', name: 'console0', ...common },
      { type: 'entropy', name: 'rng0', ...common },
    ],
    wanted: [
      ...checks.map((check) => new RegExp(`CHECK ${check}( .*)? PASS`)),
      /hello from the virtio console/,
      /GUEST-OK linux 6\.1/,
    ],
    ending: 'power-off',
    ...(mood.moods.some((each) => each === 'refusedFeatures' || each === 'needsReset') && {
      mayGiveUp: /device refuses features|GUEST-SHELL/,
      greatestSteps: 400_000_000,
    }),
  };
}

/** The files that U-Boot's dialogues load, in a folder of the caller. */
export function ubootFiles(folder: string): { readonly disk: string; readonly served: string } {
  const kernel = Array.from({ length: 100_000 }, (_, i) => String.fromCharCode(32 + ((i * 7 + (i >> 8)) % 90))).join(
    '',
  );
  const disk = path.join(folder, 'disk.img');
  const served = path.join(folder, 'served');
  fs.mkdirSync(served);
  fs.writeFileSync(path.join(served, 'kernel.bin'), kernel);
  makeExt4(disk, { 'hello.txt': 'hello from the file system\n', 'boot/kernel.bin': kernel }, 8);
  return { disk, served };
}

/** U-Boot over OpenSBI: a disk read, listed and written, or a file over the network. */
export function ubootRuns(
  files: ReturnType<typeof ubootFiles>,
  transport: Around['transport'],
  mood: MoodChoice,
  seed: number,
): readonly MoodRun[] {
  const kernel = fs.readFileSync(path.join(files.served, 'kernel.bin'));
  const whole = new RegExp(`==> ${crc32(kernel).toString(16).padStart(8, '0')}`);
  const isHard = mood.moods.some((each) => ['refusedFeatures', 'withheldFeatures', 'needsReset'].includes(each));
  const seesStoresLate = mood.moods.includes('storeBuffer');
  const dialogue = (file: string): string => {
    const text = fs.readFileSync(path.join(repository, 'test/guest', file), 'utf8');
    if (isHard) return text.replace('timeout 120', 'timeout 8');
    return seesStoresLate ? text.replace('timeout 120', 'timeout 40') : text;
  };
  const common = {
    guest: 'U-Boot' as const,
    moods: mood.moods,
    seed,
    harts: 1,
    launch: { kernel: uboot, bios: firmware, memory: '128M' },
    wanted: [whole],
    ending: 'script-end' as const,
    // Its barriers are empty (include/virtio_ring.h): a device that sees the index before the descriptors takes another request than the one
    // that was made; one that does not see the index when it switches notifications on, while U-Boot reads that they are off, is never told.
    ...(seesStoresLate && { mayStopAfter: ['ordering.stale-fetch', 'notify.missing'] }),
    // Without VIRTIO_NET_F_MAC it has no address and uses no network; a device that needs a reset it never looks at again.
    ...(isHard && {
      mayGiveUp: mood.moods.includes('needsReset') ? /U-Boot 2023/ : /address not set|No ethernet found/,
    }),
  };
  return [
    {
      ...common,
      name: `U-Boot disk, ${transport}, ${mood.name}, seed ${seed}`,
      devices: [{ type: 'block', name: 'vda', image: files.disk, mode: 'overlay', transport }],
      script: dialogue('uboot.script'),
    },
    {
      ...common,
      name: `U-Boot network, ${transport}, ${mood.name}, seed ${seed}`,
      devices: [{ type: 'net', name: 'net0', backend: 'user', tftp: files.served, transport }],
      // Behind PCI nothing is found until it is looked for.
      script: dialogue('uboot-network.script').replace(
        'send setenv',
        'send virtio scan\\r\nexpect =>\\x20\nsend setenv',
      ),
    },
  ];
}

/** Where addresses of a violation lie in the kernel's source, asked of binutils: loading its debug information takes longer than the boot. */
export function sourceLines(vmlinux: string, pcs: readonly bigint[]): readonly string[] {
  if (pcs.length === 0) return [];
  const words = ['-f', '-i', '-p', '-s', '-e', vmlinux, ...pcs.map((pc) => `0x${pc.toString(16)}`)];
  return execFileSync('riscv64-linux-gnu-addr2line', words, { encoding: 'utf8' }).trim().split('\n');
}
