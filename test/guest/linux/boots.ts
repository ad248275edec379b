// Which Linux boots prove what: tables for the campaign and, a few of their rows, for the suite that runs with every change.
import type { TransportName } from '../../../emulator/virtio/spec/feature';
import type { Boot } from './boot';

export const firmware = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';

/** A boot with a network device over the user network and a disk beside it. */
export interface NetworkBoot {
  readonly name: string;
  /** Keys of the network device beside its backend. */
  readonly net: string;
  readonly harts: number;
  /** `builtin` unless it says otherwise. */
  readonly bios?: string;
  /** Keys of the disk. Undefined: there is none, and the guest only gets an address, pings, resolves a name and downloads a file. */
  readonly disk?: string;
  /**
   * Alarms that are true. Without MRG_RXBUF, Linux 6.1 leaves num_buffers of what it sends as it finds it: drivers/net/virtio_net.c:1873
   * clears it in the other case only.
   */
  readonly alarms?: readonly string[];
}

/** On the first disk and without one, with few and many harts. */
const plainBoots: readonly Boot[] = [
  { name: 'builtin, 1 hart, initramfs', bios: 'builtin', harts: 1, root: 'initramfs', words: 'echo' },
  { name: 'builtin, 4 harts, initramfs', bios: 'builtin', harts: 4, root: 'initramfs', words: 'echo' },
  { name: 'builtin, 8 harts, initramfs', bios: 'builtin', harts: 8, root: 'initramfs', words: 'echo' },
];

/** Every transport with the rings that it knows. */
const rings: readonly { readonly transport: TransportName; readonly ring: 'split' | 'packed' }[] = [
  ...(['mmio', 'pci', 'pci-transitional'] as const).flatMap((transport) =>
    (['split', 'packed'] as const).map((ring) => ({ transport, ring })),
  ),
  { transport: 'mmio-legacy', ring: 'split' },
  { transport: 'pci-legacy', ring: 'split' },
];
const isLegacy = (transport: TransportName): boolean => transport === 'mmio-legacy' || transport === 'pci-legacy';

/** What is switched on and off. Linux 6.1 takes of the last row what it knows: ACCESS_PLATFORM, ORDER_PLATFORM and RING_RESET. */
const featureSets: readonly { readonly name: string; readonly features: readonly string[]; readonly modern?: true }[] =
  [
    { name: 'as offered', features: [] },
    { name: 'neither indirect nor event index', features: ['-INDIRECT_DESC', '-EVENT_IDX'] },
    { name: 'indirect', features: ['-EVENT_IDX'] },
    { name: 'event index', features: ['-INDIRECT_DESC'] },
    {
      name: 'every ring feature',
      features: ['+IN_ORDER', '+NOTIFICATION_DATA', '+RING_RESET', '+ACCESS_PLATFORM', '+ORDER_PLATFORM'],
      modern: true,
    },
  ];

/** Disk, console and entropy over every transport and ring with each set of features, on one hart and on four; firmware and root take turns. */
const deviceBoots: readonly Boot[] = rings.flatMap(({ transport, ring }) =>
  featureSets
    .filter(({ modern }) => modern !== true || !isLegacy(transport))
    .flatMap(({ name, features }, row) =>
      [1, 4].map((harts): Boot => {
        const bios = (row + harts) % 2 === 0 ? 'builtin' : firmware;
        const root = row % 4 === 3 ? 'initramfs' : 'disk';
        return {
          name: `${transport}, ${ring}, ${name}, harts ${harts}, ${bios === firmware ? 'OpenSBI' : bios}, ${root}`,
          ...{ bios, harts, root, words: 'echo', transport, ring, features },
        };
      }),
    ),
);
export const boots: readonly Boot[] = [...plainBoots, ...deviceBoots];

/** Debian's own kernel, which has drivers for APLIC and IMSIC: wires and messages, both firmwares, one hart and four. */
export const interruptBoots: readonly Boot[] = (
  [
    { aia: 'aplic-imsic', transport: 'pci', ring: 'split', harts: 4, bios: firmware },
    { aia: 'aplic-imsic', transport: 'pci-transitional', ring: 'packed', harts: 1, bios: 'builtin' },
    { aia: 'aplic-imsic', transport: 'mmio', ring: 'split', harts: 1, bios: 'builtin' },
    { aia: 'aplic', transport: 'pci', ring: 'split', harts: 4, bios: 'builtin' },
    { aia: 'aplic', transport: 'mmio', ring: 'split', harts: 1, bios: firmware },
  ] as const
).map((row) => ({
  name: `aia ${row.aia}, ${row.transport}, ${row.ring}, harts ${row.harts}, ${row.bios === firmware ? 'OpenSBI' : row.bios}`,
  ...{ ...row, root: 'initramfs', words: 'echo' },
}));

/** What network devices can be told; without a disk. */
const networkVariants: readonly NetworkBoot[] = [
  { name: 'network, no merged buffers', net: 'features=-MRG_RXBUF', harts: 1, alarms: ['net.num-buffers-sent'] },
  { name: 'network, no checksums', net: 'features=-CSUM:-GUEST_CSUM', harts: 1 },
  { name: 'network, four pairs', net: 'pairs=4', harts: 4 },
  { name: 'network, plain rings', net: 'features=-EVENT_IDX:-INDIRECT_DESC', harts: 1 },
];

/** Network and disk busy at once, over every transport and ring, on one hart and on four. */
const loads: readonly NetworkBoot[] = rings.flatMap(({ transport, ring }) =>
  [1, 4].map((harts): NetworkBoot => {
    const keys = `transport=${transport},ring=${ring}`;
    const bios = harts === 1 ? firmware : 'builtin';
    return { name: `load, ${transport}, ${ring}, harts ${harts}`, net: keys, disk: keys, harts, bios };
  }),
);
export const networkBoots: readonly NetworkBoot[] = [...networkVariants, ...loads];

/** Names of the rows that run with every change: each transport and ring once. */
export const everyChange: readonly string[] = [
  'mmio, split, as offered, harts 4, builtin, disk',
  'mmio-legacy, split, neither indirect nor event index, harts 1, builtin, disk',
  'pci, packed, every ring feature, harts 1, OpenSBI, disk',
  'pci-legacy, split, event index, harts 4, OpenSBI, initramfs',
  'load, mmio, packed, harts 4',
  'load, pci-transitional, packed, harts 1',
  'load, pci-legacy, split, harts 1',
];
