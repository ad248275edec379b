// The device tree of this board, generated from the configuration. Names, bindings and phandles are those of QEMU 7.2's `virt`.
import type { Aia } from '../configuration';
import { cacheBlockBytes, instructionSet, largestTranslation } from '../cpu/extensions';
import {
  type DeviceTreeNode,
  type DeviceTreeProperty,
  type FlattenedDeviceTree,
  propertyValue as value,
} from './flattened-device-tree';
import {
  type MapEntry,
  interruptSources,
  memoryMap,
  pcieInterrupts,
  ramBase,
  timebaseHertz,
  virtioSlot,
  virtioSlots,
} from './memory-map';
import { interruptFileBytes, interruptIdentities } from './aia/imsic';
import { swizzle } from './pci/host';
import { finisherCommand } from './test-finisher';
import { uartClockHertz } from './uart16550';

export interface DeviceTreeOptions {
  readonly harts: number;
  readonly aia: Aia;
  /** Firmware has the machine-level domains and files for itself, and says so, as OpenSBI does. */
  readonly machineLevelTaken?: boolean;
  readonly memoryBytes: number;
  /** 32 bytes of randomness for the guest's kernel. */
  readonly randomSeed: Uint8Array;
  /** What goes to `/chosen` beside the console. */
  readonly chosen: readonly DeviceTreeProperty[];
}

/** Interrupt numbers at a hart's own controller. [RISC-V priv. 3.1.9] */
const hartInterrupt = { supervisorExternal: 9, machineSoftware: 3, machineTimer: 7, machineExternal: 11 } as const;

/** The cells that describe an interrupt of a source: with an APLIC its trigger, a high level, follows. */
function interruptCells(aia: Aia, source: number): readonly number[] {
  return aia === 'none' ? [source] : [source, levelHigh];
}
const levelHigh = 4;

/** QEMU counts phandles from the last hart down; the shared devices follow. */
function phandles(harts: number, aia: Aia): Phandles {
  const cpu = (hart: number): number => 2 * (harts - 1 - hart) + 1;
  const names = {
    none: ['external', 'test'],
    aplic: ['aplicMachine', 'external', 'test'],
    'aplic-imsic': ['imsicMachine', 'imsicSupervisor', 'aplicMachine', 'external', 'test'],
  } as const;
  const shared: Partial<Record<SharedNode, number>> = Object.fromEntries(
    names[aia].map((name, place) => [name, 2 * harts + 1 + place]),
  );
  return { cpu, controller: (hart) => cpu(hart) + 1, external: 0, test: 0, ...shared };
}
/** `external` is where devices' wires lead to. */
type SharedNode = 'external' | 'test' | 'aplicMachine' | 'imsicMachine' | 'imsicSupervisor';
interface Phandles extends Partial<Record<SharedNode, number>> {
  cpu(hart: number): number;
  controller(hart: number): number;
  readonly external: number;
  readonly test: number;
}

export function generateDeviceTree(options: DeviceTreeOptions): FlattenedDeviceTree {
  const { harts, aia } = options;
  const handle = phandles(harts, aia);
  const everyHart = Array.from({ length: harts }, (_, hart) => hart);
  const external = {
    interrupts: (source: number): DeviceTreeProperty =>
      property('interrupts', value.cells(...interruptCells(aia, source))),
    parent: property('interrupt-parent', value.cells(handle.external)),
  };
  const device = (
    name: string,
    place: MapEntry,
    compatible: readonly string[],
    extra: readonly DeviceTreeProperty[] = [],
  ) =>
    node(`${name}@${place.base.toString(16)}`, [
      ...(place.interrupt === undefined ? [] : [external.interrupts(place.interrupt), external.parent]),
      property('reg', value.wide(place.base, place.declaredBytes)),
      property('compatible', value.text(...compatible)),
      ...extra,
    ]);
  const finisher = (name: string, compatible: string, command: number): DeviceTreeNode =>
    node(name, [
      property('value', value.cells(command)),
      property('offset', value.cells(0)),
      property('regmap', value.cells(handle.test)),
      property('compatible', value.text(compatible)),
    ]);
  const wiresToHarts = (...interrupts: readonly number[]): DeviceTreeProperty =>
    property(
      'interrupts-extended',
      value.cells(...everyHart.flatMap((hart) => interrupts.flatMap((number) => [handle.controller(hart), number]))),
    );
  const addressing = (addressCells: number, sizeCells: number): readonly DeviceTreeProperty[] => [
    property('#address-cells', value.cells(addressCells)),
    property('#size-cells', value.cells(sizeCells)),
  ];

  const processor = (hart: number): DeviceTreeNode =>
    node(
      `cpu@${hart.toString(16)}`,
      [
        property('phandle', value.cells(handle.cpu(hart))),
        property('device_type', value.text('cpu')),
        property('reg', value.cells(hart)),
        property('status', value.text('okay')),
        property('compatible', value.text('riscv')),
        property('riscv,isa', value.text(instructionSet(aia === 'aplic-imsic'))),
        property('mmu-type', value.text(largestTranslation)),
        ...['riscv,cbom-block-size', 'riscv,cbop-block-size', 'riscv,cboz-block-size'].map((name) =>
          property(name, value.cells(cacheBlockBytes)),
        ),
      ],
      [
        node('interrupt-controller', [
          property('#interrupt-cells', value.cells(1)),
          property('interrupt-controller', value.empty()),
          property('compatible', value.text('riscv,cpu-intc')),
          property('phandle', value.cells(handle.controller(hart))),
        ]),
      ],
    );

  const status = (level: 'M' | 'S'): readonly DeviceTreeProperty[] =>
    level === 'M' && options.machineLevelTaken === true ? [property('status', value.text('disabled'))] : [];
  const domain = (level: 'M' | 'S'): DeviceTreeNode => {
    const place = level === 'M' ? memoryMap.aplicMachine : memoryMap.aplicSupervisor;
    const file = level === 'M' ? handle.imsicMachine : handle.imsicSupervisor;
    const wire = level === 'M' ? hartInterrupt.machineExternal : hartInterrupt.supervisorExternal;
    return device(
      'aplic',
      place,
      ['riscv,aplic'],
      [
        property('phandle', value.cells((level === 'M' ? handle.aplicMachine : handle.external) ?? 0)),
        ...status(level),
        property('riscv,num-sources', value.cells(interruptSources)),
        file === undefined ? wiresToHarts(wire) : property('msi-parent', value.cells(file)),
        property('interrupt-controller', value.empty()),
        property('#interrupt-cells', value.cells(2)),
        ...(level === 'M'
          ? [
              property('riscv,children', value.cells(handle.external)),
              property('riscv,delegate', value.cells(handle.external, 1, interruptSources)),
            ]
          : []),
      ],
    );
  };
  const interruptFiles = (level: 'M' | 'S'): DeviceTreeNode => {
    const { base } = level === 'M' ? memoryMap.imsicMachine : memoryMap.imsicSupervisor;
    const wire = level === 'M' ? hartInterrupt.machineExternal : hartInterrupt.supervisorExternal;
    const sizeBytes = harts * interruptFileBytes;
    return device(
      'imsics',
      { base, sizeBytes, declaredBytes: sizeBytes },
      ['riscv,imsics'],
      [
        property('phandle', value.cells((level === 'M' ? handle.imsicMachine : handle.imsicSupervisor) ?? 0)),
        ...status(level),
        property('riscv,ipi-id', value.cells(1)),
        property('riscv,num-ids', value.cells(interruptIdentities)),
        wiresToHarts(wire),
        property('msi-controller', value.empty()),
        property('interrupt-controller', value.empty()),
        property('#interrupt-cells', value.cells(0)),
      ],
    );
  };
  const interruptControllers = (): readonly DeviceTreeNode[] => {
    if (aia === 'aplic') return [domain('S'), domain('M')];
    if (aia === 'aplic-imsic') return [domain('S'), domain('M'), interruptFiles('S'), interruptFiles('M')];
    return [
      device(
        'plic',
        memoryMap.plic,
        ['sifive,plic-1.0.0', 'riscv,plic0'],
        [
          property('phandle', value.cells(handle.external)),
          property('riscv,ndev', value.cells(interruptSources)),
          wiresToHarts(hartInterrupt.machineExternal, hartInterrupt.supervisorExternal),
          property('interrupt-controller', value.empty()),
          property('#address-cells', value.cells(0)),
          property('#interrupt-cells', value.cells(1)),
        ],
      ),
    ];
  };

  const root = node(
    '',
    [
      ...addressing(2, 2),
      property('compatible', value.text('riscv-virtio')),
      property('model', value.text('riscv-virtio,qemu')),
    ],
    [
      node('flash@20000000', [
        property('bank-width', value.cells(4)),
        property(
          'reg',
          value.wide(
            memoryMap.flash0.base,
            memoryMap.flash0.declaredBytes,
            memoryMap.flash1.base,
            memoryMap.flash1.declaredBytes,
          ),
        ),
        property('compatible', value.text('cfi-flash')),
      ]),
      device(
        'fw-cfg',
        memoryMap.firmwareConfiguration,
        ['qemu,fw-cfg-mmio'],
        [property('dma-coherent', value.empty())],
      ),
      node('chosen', [
        property('stdout-path', value.text(`/soc/serial@${memoryMap.uart0.base.toString(16)}`)),
        property('rng-seed', options.randomSeed),
        ...options.chosen,
      ]),
      finisher('poweroff', 'syscon-poweroff', finisherCommand.pass),
      finisher('reboot', 'syscon-reboot', finisherCommand.reset),
      node(`memory@${ramBase.toString(16)}`, [
        property('device_type', value.text('memory')),
        property('reg', value.wide(ramBase, options.memoryBytes)),
      ]),
      node(
        'cpus',
        [...addressing(1, 0), property('timebase-frequency', value.cells(timebaseHertz))],
        [
          ...everyHart.map(processor),
          node(
            'cpu-map',
            [],
            [
              node(
                'cluster0',
                [],
                everyHart.map((hart) => node(`core${hart}`, [property('cpu', value.cells(handle.cpu(hart)))])),
              ),
            ],
          ),
        ],
      ),
      node(
        'soc',
        [...addressing(2, 2), property('compatible', value.text('simple-bus')), property('ranges', value.empty())],
        [
          device('rtc', memoryMap.rtc, ['google,goldfish-rtc']),
          device('serial', memoryMap.uart0, ['ns16550a'], [property('clock-frequency', value.cells(uartClockHertz))]),
          device(
            'test',
            memoryMap.testFinisher,
            ['sifive,test1', 'sifive,test0', 'syscon'],
            [property('phandle', value.cells(handle.test))],
          ),
          pcieNode(handle, aia),
          ...Array.from({ length: virtioSlots.count }, (_, place) => {
            const { base, interrupt } = virtioSlot(virtioSlots.count - 1 - place);
            const { strideBytes } = virtioSlots;
            return device('virtio_mmio', { base, sizeBytes: strideBytes, declaredBytes: strideBytes, interrupt }, [
              'virtio,mmio',
            ]);
          }),
          ...interruptControllers(),
          device(
            'clint',
            memoryMap.clint,
            ['sifive,clint0', 'riscv,clint0'],
            [wiresToHarts(hartInterrupt.machineSoftware, hartInterrupt.machineTimer)],
          ),
        ],
      ),
    ],
  );
  return { root, reservations: [], bootHart: 0 };
}

/** Kinds of address space in a PCI address. [PCI Bus Binding to Open Firmware 2.1, 2.2.1.1] */
const pciSpace = { io: 0x100_0000, memory32: 0x200_0000, memory64: 0x300_0000 } as const;
const deviceShift = 11;

/** The host bridge. Pins of four neighbouring devices repeat after the fourth, so the map names those four. */
function pcieNode(handle: Phandles, aia: Aia): DeviceTreeNode {
  const { pcieEcam, pcieIo, pcieMemory32, pcieMemory64 } = memoryMap;
  const wide = (at: number): readonly number[] => [Math.floor(at / 2 ** 32), at >>> 0];
  const range = (space: number, bus: number, at: number, bytes: number): readonly number[] => [
    space,
    ...wide(bus),
    ...wide(at),
    ...wide(bytes),
  ];
  const pins = Array.from({ length: pcieInterrupts.count }, (_, device) =>
    Array.from({ length: pcieInterrupts.count }, (__, pin) => [
      ...[device << deviceShift, 0, 0, pin + 1],
      ...[handle.external, ...interruptCells(aia, pcieInterrupts.first + swizzle(device, pin))],
    ]),
  );
  return node(`pci@${pcieEcam.base.toString(16)}`, [
    property('interrupt-map-mask', value.cells((pcieInterrupts.count - 1) << deviceShift, 0, 0, 7)),
    property('interrupt-map', value.cells(...pins.flat(2))),
    property(
      'ranges',
      value.cells(
        ...range(pciSpace.io, 0, pcieIo.base, pcieIo.sizeBytes),
        ...range(pciSpace.memory32, pcieMemory32.base, pcieMemory32.base, pcieMemory32.sizeBytes),
        ...range(pciSpace.memory64, pcieMemory64.base, pcieMemory64.base, pcieMemory64.sizeBytes),
      ),
    ),
    ...(handle.imsicSupervisor === undefined ? [] : [property('msi-parent', value.cells(handle.imsicSupervisor))]),
    property('reg', value.wide(pcieEcam.base, pcieEcam.declaredBytes)),
    property('dma-coherent', value.empty()),
    property('bus-range', value.cells(0, pcieEcam.sizeBytes / 0x10_0000 - 1)),
    property('linux,pci-domain', value.cells(0)),
    property('device_type', value.text('pci')),
    property('compatible', value.text('pci-host-ecam-generic')),
    property('#size-cells', value.cells(2)),
    property('#interrupt-cells', value.cells(1)),
    property('#address-cells', value.cells(3)),
  ]);
}

/** `/chosen` properties that carry the command line and where the initial RAM disk is. */
export function chosenProperties(boot: {
  readonly append: string | undefined;
  readonly initrd: { readonly start: number; readonly end: number } | undefined;
}): readonly DeviceTreeProperty[] {
  return [
    ...(boot.initrd === undefined
      ? []
      : [
          property('linux,initrd-end', address(boot.initrd.end)),
          property('linux,initrd-start', address(boot.initrd.start)),
        ]),
    ...(boot.append === undefined || boot.append === '' ? [] : [property('bootargs', value.text(boot.append))]),
  ];
}

/** 32 bytes that depend on the machine's seed alone. [SplitMix64] */
export function randomSeedFor(seed: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  let state = BigInt.asUintN(64, BigInt(Math.trunc(seed)));
  for (let at = 0; at < bytes.length; at += 8) {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let mixed = state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d0_49bb_1331_11ebn);
    view.setBigUint64(at, mixed ^ (mixed >> 31n));
  }
  return bytes;
}

/** One cell where it fits, as QEMU does: readers accept either. */
function address(at: number): Uint8Array {
  return at < 2 ** 32 ? value.cells(at) : value.wide(at);
}
function node(
  name: string,
  properties: readonly DeviceTreeProperty[],
  children: readonly DeviceTreeNode[] = [],
): DeviceTreeNode {
  return { name, properties, children };
}
function property(name: string, bytes: Uint8Array): DeviceTreeProperty {
  return { name, value: bytes };
}
