// From a configuration to what a reset puts in place: which bios, where each file goes, how each hart begins.
// Placement follows QEMU 7.2's `virt`, so that guests built for it find everything where they expect it.
import type { Bios, MachineConfiguration } from '../configuration';
import type { BootImage, BootPlan, HartStart } from './contract';
import { chosenProperties, generateDeviceTree, randomSeedFor } from './device-tree';
import { checkDeviceTree, readDeviceTree, withProperties, writeDeviceTree } from './flattened-device-tree';
import { isElf, loadElf } from './loaders/elf';
import { loadProgram } from './loaders/index';
import { LoadError } from './loaders/load-error';
import type { LoadedProgram, LoadSource, LoadSpace } from './loaders/program';
import { firmwareAddress, kernelAddressUnderFirmware, ramBase } from './memory-map';
import { type HandOver, registersAfterResetRom, resetRomContent } from './reset-rom';
import { supervisorStart } from './sbi/start';

const mebibyte = 1 << 20;
/** The device tree stays below 3 GiB, so that 32-bit software finds it, and begins on a 2 MiB page. */
const deviceTreeCeiling = 3072 * mebibyte;
const deviceTreeAlignment = 2 * mebibyte;
/** The initial RAM disk is half of RAM above the kernel, at most this much. */
const initrdDistanceLimit = 128 * mebibyte;

type File = NonNullable<MachineConfiguration['guest']>;

/**
 * The `bios` that holds when the user did not choose one: `none` for an ELF that starts where QEMU jumps without firmware, else `builtin`.
 * @throws LoadError when the guest is an ELF that cannot be loaded
 */
export function defaultBios(guest: File, memoryBytes: number): Bios {
  if (!isElf(guest.bytes)) return { kind: 'builtin' };
  const { start } = loadElf({ ...guest, attribute: 'program' }, { base: ramBase, sizeBytes: memoryBytes });
  return start === firmwareAddress ? { kind: 'none' } : { kind: 'builtin' };
}

/** @throws LoadError when files do not fit the machine or each other */
export function planBoot(configuration: MachineConfiguration): BootPlan {
  const ram: LoadSpace = { base: ramBase, sizeBytes: configuration.memoryBytes };
  const layout = new Layout();
  const { bios } = configuration;

  const firmware = bios.kind === 'file' ? loadProgram({ ...bios, attribute: 'bios' }, ram, firmwareAddress) : undefined;
  if (firmware !== undefined && bios.kind === 'file')
    layout.addProgram('firmware', firmware, { ...bios, attribute: 'bios' });

  const kernel = loadKernel(configuration, ram);
  if (kernel !== undefined) layout.addProgram('kernel', kernel.program, kernel.source);
  else if (bios.kind !== 'file') {
    throw new LoadError(
      'program',
      `bios ${bios.kind} starts a guest directly, but no guest is given: set program or kernel`,
    );
  }
  const kernelEntry = kernel?.program.start;

  const initrd = placeInitrd(configuration, kernelEntry, ram, layout);
  const tree = deviceTreeFor(configuration, initrd);
  const deviceTreeAddress = placeDeviceTree(configuration, tree, ram, layout);

  const start = firmware === undefined ? kernelEntry : beginning(firmware);
  const handOver: HandOver = {
    start: BigInt(
      (bios.kind === 'none' && kernel !== undefined ? beginning(kernel.program) : start) ?? firmwareAddress,
    ),
    deviceTree: BigInt(deviceTreeAddress),
    next: BigInt(kernelEntry ?? 0),
  };
  return {
    images: layout.images,
    starts:
      bios.kind === 'builtin'
        ? [supervisorStart(0, handOver.next, handOver.deviceTree)]
        : machineStarts(configuration.harts, handOver),
    resetRom: resetRomContent(handOver),
    deviceTreeAddress,
    kernelEntry,
    bios: bios.kind,
  };
}

function loadKernel(
  configuration: MachineConfiguration,
  ram: LoadSpace,
): { readonly program: LoadedProgram; readonly source: LoadSource } | undefined {
  if (configuration.guest === undefined) return undefined;
  const source: LoadSource = { ...configuration.guest, attribute: 'program' };
  const rawAddress = configuration.bios.kind === 'none' ? firmwareAddress : kernelAddressUnderFirmware;
  return { program: loadProgram(source, ram, rawAddress), source };
}

/** QEMU always jumps to the start of RAM; where nothing was loaded there, the program's own start is better than certain failure. */
function beginning(program: LoadedProgram): number {
  const covered = program.pieces.some(
    ({ address, memoryBytes, holdsCode }) =>
      holdsCode && firmwareAddress >= address && firmwareAddress < address + memoryBytes,
  );
  return covered ? firmwareAddress : program.start;
}

function machineStarts(harts: number, handOver: HandOver): readonly HartStart[] {
  return Array.from({ length: harts }, (_, hart) => ({
    hart,
    pc: handOver.start,
    mode: 'M',
    registers: registersAfterResetRom(hart, handOver),
    csrs: [],
  }));
}

function placeInitrd(
  configuration: MachineConfiguration,
  kernelEntry: number | undefined,
  ram: LoadSpace,
  layout: Layout,
): { readonly start: number; readonly end: number } | undefined {
  const { initrd } = configuration;
  if (initrd === undefined) return undefined;
  if (kernelEntry === undefined) {
    throw new LoadError('initrd', `${initrd.name} belongs to a kernel, but only a bios is given: set kernel too`);
  }
  const start = kernelEntry + Math.min(Math.floor(ram.sizeBytes / 2), initrdDistanceLimit);
  const end = start + initrd.bytes.length;
  if (end > ram.base + ram.sizeBytes) {
    throw new LoadError(
      'memory',
      `initrd ${initrd.name} has ${initrd.bytes.length} bytes and goes to 0x${start.toString(16)}, ` +
        `RAM ends at 0x${(ram.base + ram.sizeBytes).toString(16)}: give the machine more memory`,
    );
  }
  layout.add({ name: 'initrd', address: start, bytes: initrd.bytes.slice() }, initrd.bytes.length, {
    ...initrd,
    attribute: 'initrd',
  });
  return { start, end };
}

/** The user's own tree, with what the configuration adds to `/chosen`, or a generated one. */
function deviceTreeFor(
  configuration: MachineConfiguration,
  initrd: { readonly start: number; readonly end: number } | undefined,
): Uint8Array {
  const chosen = chosenProperties({ append: configuration.append, initrd });
  const { deviceTree } = configuration;
  if (deviceTree === undefined) {
    return writeDeviceTree(
      generateDeviceTree({
        harts: configuration.harts,
        aia: configuration.aia ?? 'none',
        machineLevelTaken: configuration.bios.kind === 'builtin',
        memoryBytes: configuration.memoryBytes,
        randomSeed: randomSeedFor(configuration.seed),
        chosen,
      }),
    );
  }
  const blob = checkDeviceTree(deviceTree.bytes);
  return chosen.length === 0 ? blob.slice() : writeDeviceTree(withProperties(readDeviceTree(blob), 'chosen', chosen));
}

function placeDeviceTree(
  configuration: MachineConfiguration,
  tree: Uint8Array,
  ram: LoadSpace,
  layout: Layout,
): number {
  const ceiling = Math.min(ram.base + ram.sizeBytes, deviceTreeCeiling);
  const address = Math.floor((ceiling - tree.length) / deviceTreeAlignment) * deviceTreeAlignment;
  if (address < ram.base) {
    throw new LoadError(
      'memory',
      `RAM of ${ram.sizeBytes} bytes has no room for the device tree: give the machine at least 4M`,
    );
  }
  layout.add({ name: 'device tree', address, bytes: tree }, tree.length, {
    name: configuration.deviceTree?.name ?? 'device tree',
    bytes: tree,
    // A generated tree has no file to blame: there is just too little room.
    attribute: configuration.deviceTree === undefined ? 'memory' : 'dtb',
  });
  return address;
}

/** What lies where. Two files in one place is an error that names both. */
class Layout {
  readonly images: BootImage[] = [];
  private readonly taken: { readonly title: string; readonly address: number; readonly end: number }[] = [];

  addProgram(name: string, program: LoadedProgram, source: LoadSource): void {
    for (const { address, bytes, memoryBytes } of program.pieces)
      this.add({ name, address, bytes }, memoryBytes, source);
  }

  add(image: BootImage, memoryBytes: number, source: LoadSource): void {
    const end = image.address + memoryBytes;
    const title = image.name === source.name ? image.name : `${image.name} ${source.name}`;
    for (const other of this.taken) {
      if (image.address >= other.end || other.address >= end) continue;
      throw new LoadError(
        source.attribute,
        `${title} at 0x${image.address.toString(16)} to 0x${(end - 1).toString(16)} overlaps ` +
          `${other.title} at 0x${other.address.toString(16)} to 0x${(other.end - 1).toString(16)}: ` +
          'give the machine more memory, or link one of them elsewhere',
      );
    }
    this.taken.push({ title, address: image.address, end });
    if (image.bytes.length > 0) this.images.push(image);
  }
}
