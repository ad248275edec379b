// Reads every file that a launch configuration names and makes the machine's configuration of it.
// Errors name the attribute, the file, what was found and what to do.
import * as fs from 'node:fs';
import { defaultBios } from '../../emulator/board/boot';
import type {
  Bios,
  DeviceConfiguration,
  DeviceConfigurationBase,
  MachineConfiguration,
  NetworkConfiguration,
} from '../../emulator/configuration';
import { deviceId } from '../../emulator/virtio/spec/device-id';
import { feature, featureName, featuresOf, featureSet, parseFeatureName } from '../../emulator/virtio/spec/feature';
import { openBlockFile } from '../backends/block-file';
import { readCapture } from '../backends/capture';
import { createNetworks } from '../backends/create-network';
import type { Networks } from '../backends/network';
import type { DeviceEntry, LaunchConfiguration } from '../debug/launch-configuration';
import { loadSymbols, SymbolError, type Symbols } from '../symbols';
import { ConfigurationError, suggestion } from './parse-launch';
import { symbolsInRam } from './symbols-in-ram';

export interface LoadedMachine {
  readonly machine: MachineConfiguration;
  readonly symbols: readonly Symbols[];
  /** What was chosen where the configuration left a choice, and what degraded. */
  readonly notes: readonly string[];
  /** Where the frames of network devices go, and where those for them come from. */
  readonly networks: Networks;
  close(): void;
}

interface HostFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Images larger than this are a mistake more often than a guest. */
const largestFileBytes = 1 << 30;

/** @throws ConfigurationError naming every file or value that cannot be used */
export function loadMachine(configuration: LaunchConfiguration): LoadedMachine {
  const problems: string[] = [];
  const notes: string[] = [];
  const closers: (() => void)[] = [];
  const read = (attribute: string, path: string | undefined): HostFile | undefined => {
    if (path === undefined) return undefined;
    try {
      return readHostFile(path);
    } catch (error) {
      problems.push(`${attribute}: ${message(error)}`);
      return undefined;
    }
  };
  const guest = read('program', configuration.guest);
  const initrd = read('initrd', configuration.initrd);
  const deviceTree = read('dtb', configuration.dtb);
  let bios: Bios = { kind: 'none' };
  if (configuration.bios.kind === 'file') {
    const firmware = read('bios', configuration.bios.path);
    if (firmware !== undefined) bios = { kind: 'file', ...firmware };
  } else if (configuration.bios.kind === 'automatic') {
    if (guest !== undefined) {
      try {
        bios = defaultBios(guest, configuration.memoryBytes);
        const why = bios.kind === 'none' ? 'starts at 0x80000000' : 'does not start at 0x80000000';
        notes.push(`bios ${bios.kind}: the guest ${why}`);
      } catch (error) {
        problems.push(`program: ${guest.name}: ${message(error)}`);
      }
    }
  } else bios = { kind: configuration.bios.kind };

  const devices: DeviceConfiguration[] = [];
  configuration.devices.forEach((entry, index) => {
    try {
      devices.push(makeDevice(entry, closers));
    } catch (error) {
      problems.push(`devices[${index}] ("${entry.name}"): ${message(error)}`);
    }
  });

  const symbols: Symbols[] = [];
  for (const path of new Set(configuration.symbols)) {
    const file = path === configuration.guest ? guest : read('symbols', path);
    if (file === undefined) continue;
    try {
      const image = loadSymbols(file.bytes, { name: file.name });
      const early = symbolsInRam(image, file === guest, {
        bios,
        memoryBytes: configuration.memoryBytes,
        ...(guest !== undefined && { guest }),
      });
      symbols.push(image, ...(early === undefined ? [] : [early]));
    } catch (error) {
      if (!(error instanceof SymbolError)) throw error;
      // The loader decides whether an image can run; without symbols debugging shows addresses.
      notes.push(`no symbols from ${file.name}: ${error.message}`);
    }
  }
  let networks: Networks | undefined;
  try {
    networks = createNetworks(
      configuration.devices.flatMap(({ name, network }) => (network === undefined ? [] : [{ name, network }])),
    );
    closers.push(() => networks?.close());
  } catch (error) {
    problems.push(message(error));
  }
  if (networks === undefined || problems.length > 0) {
    for (const close of closers) close();
    throw new ConfigurationError(problems);
  }
  return {
    machine: {
      memoryBytes: configuration.memoryBytes,
      harts: configuration.harts,
      aia: configuration.aia,
      bios,
      ...(guest !== undefined && { guest }),
      ...(initrd !== undefined && { initrd }),
      ...(configuration.append !== undefined && { append: configuration.append }),
      ...(deviceTree !== undefined && { deviceTree }),
      devices,
      seed: configuration.seed,
      wallClockAtResetNanoseconds: BigInt(Date.now()) * 1_000_000n,
    },
    symbols,
    notes,
    networks,
    close: () => {
      for (const close of closers.splice(0)) close();
    },
  };
}

function makeDevice(entry: DeviceEntry, closers: (() => void)[]): DeviceConfiguration {
  const switches = parseFeatures(entry);
  const base: DeviceConfigurationBase = {
    name: entry.name,
    transport: entry.transport,
    dialect: entry.dialect,
    ...(entry.pci !== undefined && { pci: entry.pci }),
    ...(entry.slot !== undefined && { slot: entry.slot }),
    ...(entry.queueSize !== undefined && { queueSize: entry.queueSize }),
    ...(entry.sharedMemory !== undefined && { sharedMemory: entry.sharedMemory }),
    featuresOn: entry.ring === 'packed' ? switches.on | featureSet(feature.RING_PACKED) : switches.on,
    featuresOff: switches.off,
    fetchNanoseconds: entry.fetchNanoseconds,
    completeNanoseconds: entry.completeNanoseconds,
    onDriverError: entry.onDriverError,
    mood: entry.mood,
    hostile: entry.hostile,
  };
  if (entry.type === 'net') return { ...base, ...networkOf(entry) };
  if (entry.type !== 'block') return { ...base, type: entry.type };
  if (entry.image === undefined) throw new Error('a block device needs an "image"');
  const mode = entry.mode ?? 'overlay';
  const backend = openBlockFile(entry.image, mode);
  closers.push(() => backend.close());
  return {
    ...base,
    type: 'block',
    backend,
    readOnly: mode === 'readonly',
    ...(entry.serial !== undefined && { serial: entry.serial }),
  };
}

function networkOf({ network }: DeviceEntry): NetworkConfiguration {
  if (network === undefined) throw new Error('a net device needs its network attributes');
  const { address, mtu, pairs, announceNanoseconds, replay } = network;
  return {
    type: 'net',
    address: Uint8Array.from(address),
    mtu,
    pairs,
    ...(announceNanoseconds !== undefined && { announceAfterNanoseconds: announceNanoseconds }),
    // What a captured guest sent itself is not played back to this one.
    ...(replay !== undefined && { arrivals: readCapture(replay).filter(({ direction }) => direction !== 'sent') }),
  };
}

/** `+EVENT_IDX` offers a bit, `-EVENT_IDX` withholds it. */
function parseFeatures(entry: DeviceEntry): { on: bigint; off: bigint } {
  const id = deviceId[entry.type];
  const bits = { '+': [] as number[], '-': [] as number[] };
  for (const text of entry.features) {
    const bit = parseFeatureName(id, text.slice(1));
    if (bit === undefined) {
      const names = featuresOf(id).map((one) => featureName(id, one.bit));
      throw new Error(
        `features: a ${entry.type} device has no feature "${text.slice(1)}"${suggestion(text.slice(1), names)}; there are ${names.join(', ')}`,
      );
    }
    bits[text.startsWith('+') ? '+' : '-'].push(bit);
  }
  return { on: featureSet(...bits['+']), off: featureSet(...bits['-']) };
}

function readHostFile(path: string): HostFile {
  let status: fs.Stats;
  try {
    status = fs.statSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new Error(
      code === 'ENOENT'
        ? `${path} does not exist; build the guest first, or correct the path`
        : `${path} cannot be read (${code})`,
    );
  }
  if (!status.isFile()) throw new Error(`${path} is not a file`);
  if (status.size === 0) throw new Error(`${path} is empty`);
  if (status.size > largestFileBytes)
    throw new Error(`${path} has ${status.size} bytes, more than the ${largestFileBytes} that can be loaded`);
  try {
    return { name: path, bytes: new Uint8Array(fs.readFileSync(path)) };
  } catch (error) {
    throw new Error(`${path} cannot be read: ${message(error)}`);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
