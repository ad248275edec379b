// Checks a launch configuration or a command line's options and says everything that is wrong with it at once.
// Guarantees: what it returns has every default filled in; a problem names the attribute, what was found and what is allowed.
import type { SharedMemoryOptions } from '../../emulator/configuration';
import type { DeviceEntry, DeviceType, Dialect, LaunchConfiguration, Transport } from '../debug/launch-configuration';
import { networkAttributes, parseNetwork } from './parse-network';
import { parsePciOptions } from './parse-pci';
import { parseMood } from './parse-mood';

/** Everything that is wrong with a configuration, one line each. */
export class ConfigurationError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigurationError';
  }
}

export interface LaunchContext {
  /** Makes a path of the configuration absolute. */
  resolvePath(path: string): string;
  /** Whether files of the user may be changed: a trusted workspace, or the command line. */
  readonly mayWriteFiles: boolean;
}

/** Attributes that VS Code adds by itself, and those of ours that are meaningful. */
const editorAttributes =
  /^(__|preLaunchTask$|postDebugTask$|internalConsoleOptions$|presentation$|serverReadyAction$|debugServer$|noDebug$|suppressMultipleSessionWarning$)/;
const attributes = [
  'type', 'request', 'name', 'program', 'symbols', 'bios', 'kernel', 'initrd', 'append', 'dtb', 'memory', 'harts', 'aia', 'devices', 'rules', 'history',
  'accessors', 'clock', 'seed', 'stopOnEntry', 'sourceFolder',
] as const; // prettier-ignore
const deviceTypes: readonly DeviceType[] = ['block', 'console', 'entropy', 'net'];
const commonDeviceAttributes = [
  'type',
  'name',
  'transport',
  'dialect',
  'pci',
  'slot',
  'ring',
  'queueSize',
  'sharedMemory',
  'features',
  'latency',
  'onDriverError',
  'mood',
  'hostile',
] as const;
const deviceAttributes: Readonly<Record<DeviceType, readonly string[]>> = {
  block: [...commonDeviceAttributes, 'image', 'mode', 'serial'],
  console: commonDeviceAttributes,
  entropy: commonDeviceAttributes,
  net: [...commonDeviceAttributes, ...networkAttributes],
};
const transports: readonly Transport[] = ['mmio', 'mmio-legacy', 'pci', 'pci-transitional', 'pci-legacy'];
/** Transports that show the first 32 feature bits only. */
const legacyTransports: readonly Transport[] = ['mmio-legacy', 'pci-legacy'];

/** QEMU's names for a block device first, then numbers: vda, vdb; console0; entropy0; net0. */
function defaultName(type: DeviceType, position: number): string {
  return type === 'block' ? `vd${String.fromCharCode(97 + (position % 26))}` : `${type}${position}`;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads attributes and notes what is wrong with them. */
export class Reader {
  readonly problems: string[] = [];
  problem(text: string): void {
    this.problems.push(text);
  }
  text(fields: Fields, name: string, at = name): string | undefined {
    const value = fields[name];
    if (value === undefined || typeof value === 'string') return value;
    this.problem(`${at}: found ${show(value)}, expected a text`);
    return undefined;
  }
  texts(fields: Fields, name: string, at = name): readonly string[] {
    const value = fields[name];
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
    this.problem(`${at}: found ${show(value)}, expected a list of texts`);
    return [];
  }
  whole(fields: Fields, name: string, from: number, to: number, at = name): number | undefined {
    const value = fields[name];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to) return value;
    this.problem(`${at}: found ${show(value)}, expected a whole number from ${from} to ${to}`);
    return undefined;
  }
  flag(fields: Fields, name: string, at = name): boolean | undefined {
    const value = fields[name];
    if (value === undefined || typeof value === 'boolean') return value;
    this.problem(`${at}: found ${show(value)}, expected true or false`);
    return undefined;
  }
  choice<Choice extends string>(
    fields: Fields,
    name: string,
    allowed: readonly Choice[],
    at = name,
  ): Choice | undefined {
    const value = fields[name];
    if (value === undefined) return undefined;
    const found = allowed.find((item) => item === value);
    if (found === undefined) this.problem(`${at}: found ${show(value)}, expected one of ${allowed.join(', ')}`);
    return found;
  }
}

/**
 * @param raw the configuration as VS Code or the command line gives it
 * @throws ConfigurationError with every problem
 */
export function parseLaunchConfiguration(raw: unknown, context: LaunchContext): LaunchConfiguration {
  const reader = new Reader();
  if (!isFields(raw)) throw new ConfigurationError([`launch configuration: found ${show(raw)}, expected an object`]);
  for (const name of Object.keys(raw)) {
    if (editorAttributes.test(name)) continue;
    if (!(attributes as readonly string[]).includes(name)) {
      reader.problem(`${name}: unknown attribute${suggestion(name, attributes)}; allowed are ${attributes.join(', ')}`);
    }
  }
  const path = (name: string): string | undefined => {
    const value = reader.text(raw, name);
    if (value === '') reader.problem(`${name}: found an empty path, expected a file`);
    return value === undefined || value === '' ? undefined : context.resolvePath(value);
  };
  const program = path('program');
  const kernel = path('kernel');
  const bios = parseBios(reader, raw, context);
  const guest = kernel ?? program;
  if (guest === undefined && bios.kind !== 'file') {
    reader.problem(
      'program: missing; give the guest to run (an ELF file, a Linux Image or a raw image), or a complete firmware as bios',
    );
  }
  const symbols = [
    ...(program !== undefined ? [program] : kernel !== undefined ? [kernel] : []),
    ...reader.texts(raw, 'symbols').map((file) => context.resolvePath(file)),
  ];
  const initrd = path('initrd');
  const dtb = path('dtb');
  const append = reader.text(raw, 'append');
  const sourceFolder = path('sourceFolder');
  const memoryBytes = parseMemory(reader, raw);
  const devices = parseDevices(reader, raw, context);
  const configuration: LaunchConfiguration = {
    name: reader.text(raw, 'name') ?? 'guest',
    ...(guest !== undefined && { guest }),
    symbols,
    bios,
    ...(initrd !== undefined && { initrd }),
    ...(append !== undefined && { append }),
    ...(dtb !== undefined && { dtb }),
    memoryBytes,
    harts: reader.whole(raw, 'harts', 1, 8) ?? 1,
    aia: reader.choice(raw, 'aia', ['none', 'aplic', 'aplic-imsic']) ?? 'none',
    devices,
    rules: parseRules(reader, raw['rules']),
    accessors: reader.texts(raw, 'accessors'),
    clock: reader.choice(raw, 'clock', ['paced', 'warp']) ?? 'paced',
    seed: reader.whole(raw, 'seed', 0, 0xffff_ffff) ?? 1,
    historyBytes: parseHistory(reader, raw['history']),
    stopOnEntry: reader.flag(raw, 'stopOnEntry') ?? false,
    ...(sourceFolder !== undefined && { sourceFolder }),
  };
  if (reader.problems.length > 0) throw new ConfigurationError(reader.problems);
  return configuration;
}

function parseBios(reader: Reader, raw: Fields, context: LaunchContext): LaunchConfiguration['bios'] {
  const value = reader.text(raw, 'bios');
  if (value === undefined) return { kind: 'automatic' };
  if (value === 'builtin' || value === 'none') return { kind: value };
  if (value === '') {
    reader.problem('bios: found an empty text, expected builtin, none or a firmware file');
    return { kind: 'automatic' };
  }
  return { kind: 'file', path: context.resolvePath(value) };
}

const mebibyte = 1 << 20;
const smallestMemory = 1 * mebibyte;
const largestMemory = 2048 * mebibyte;

function parseMemory(reader: Reader, raw: Fields): number {
  const value = raw['memory'];
  if (value === undefined) return 128 * mebibyte;
  const bytes = parseSize(value);
  if (bytes >= smallestMemory && bytes <= largestMemory && bytes % 4096 === 0) return bytes;
  reader.problem(`memory: found ${show(value)}, expected a size from 1M to 2G such as "128M"`);
  return 128 * mebibyte;
}

/** Bytes of a text like `128M`; not a number where it is none. */
function parseSize(value: unknown): number {
  const match = typeof value === 'string' ? /^(\d+)\s*([KMG])i?B?$/i.exec(value) : null;
  const unit = { k: 1 << 10, m: mebibyte, g: 1 << 30 }[match?.[2]?.toLowerCase() ?? ''];
  return match !== null && unit !== undefined ? Number(match[1]) * unit : Number.NaN;
}

const defaultHistory = 256 * mebibyte;
const smallestHistory = 16 * mebibyte;
const largestHistory = 8192 * mebibyte;

/** 0: the session cannot go back. */
function parseHistory(reader: Reader, value: unknown): number {
  if (value === undefined) return defaultHistory;
  if (value === 'off') return 0;
  const bytes = parseSize(value);
  if (bytes >= smallestHistory && bytes <= largestHistory) return bytes;
  reader.problem(`history: found ${show(value)}, expected a size from 16M to 8G such as "256M", or "off"`);
  return defaultHistory;
}

/** A list like `{ "must": "break", "split.*": "report" }`, in order. */
function parseRules(reader: Reader, value: unknown): LaunchConfiguration['rules'] {
  if (value === undefined) return [];
  if (!isFields(value)) {
    reader.problem(`rules: found ${show(value)}, expected an object such as { "must": "break", "split.*": "report" }`);
    return [];
  }
  return Object.entries(value).flatMap(([pattern, action]) => {
    if (action === 'break' || action === 'report' || action === 'off') return [{ pattern, action }];
    reader.problem(`rules["${pattern}"]: found ${show(action)}, expected break, report or off`);
    return [];
  });
}

function parseDevices(reader: Reader, raw: Fields, context: LaunchContext): readonly DeviceEntry[] {
  const value = raw['devices'];
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    reader.problem(`devices: found ${show(value)}, expected a list such as [{ "type": "block", "image": "disk.img" }]`);
    return [];
  }
  const counts = new Map<string, number>();
  const devices: DeviceEntry[] = [];
  value.forEach((entry: unknown, index) => {
    const device = parseDevice(reader, entry, `devices[${index}]`, counts, context);
    if (device !== undefined) devices.push(device);
  });
  const onMmio = devices.filter((device) => !device.transport.startsWith('pci')).length;
  if (onMmio > 8)
    reader.problem(`devices: found ${onMmio}, expected at most 8 (the board has eight virtio-mmio slots)`);
  devices.forEach((device, index) => {
    const twin = devices.findIndex((other) => other.name === device.name);
    if (twin < index)
      reader.problem(`devices[${index}].name: "${device.name}" is taken by devices[${twin}]; names must differ`);
    const neighbour = devices.findIndex(
      (other) => device.slot !== undefined && other.slot === device.slot && isSameBus(other, device),
    );
    if (neighbour >= 0 && neighbour < index) {
      reader.problem(
        `devices[${index}].slot: slot ${String(device.slot)} is taken by devices[${neighbour}] ("${devices[neighbour]?.name ?? ''}"); choose another from ${device.transport.startsWith('pci') ? '1 to 31' : '0 to 7'}`,
      );
    }
  });
  return devices;
}

function isSameBus(a: DeviceEntry, b: DeviceEntry): boolean {
  return a.transport.startsWith('pci') === b.transport.startsWith('pci');
}

function parsePci(reader: Reader, value: unknown, onPci: boolean, at: string): Pick<DeviceEntry, 'pci'> {
  if (value === undefined) return {};
  if (!isFields(value)) {
    reader.problem(`${at}: found ${show(value)}, expected an object such as { "notifyOffMultiplier": 4 }`);
    return {};
  }
  if (!onPci)
    reader.problem(`${at}: only for the transports pci, pci-transitional and pci-legacy; remove the attribute`);
  return { pci: parsePciOptions(reader, value, at) };
}

function parseDevice(
  reader: Reader,
  entry: unknown,
  at: string,
  counts: Map<string, number>,
  context: LaunchContext,
): DeviceEntry | undefined {
  if (!isFields(entry)) {
    reader.problem(`${at}: found ${show(entry)}, expected an object with a "type"`);
    return undefined;
  }
  const type = reader.choice(entry, 'type', deviceTypes, `${at}.type`);
  if (type === undefined) {
    if (entry['type'] === undefined) reader.problem(`${at}.type: missing; allowed are ${deviceTypes.join(', ')}`);
    return undefined;
  }
  for (const name of Object.keys(entry)) {
    if (!deviceAttributes[type].includes(name)) {
      reader.problem(
        `${at}.${name}: unknown for a ${type} device${suggestion(name, deviceAttributes[type])}; allowed are ${deviceAttributes[type].join(', ')}`,
      );
    }
  }
  const transport = reader.choice(entry, 'transport', transports, `${at}.transport`) ?? 'mmio';
  const onPci = transport.startsWith('pci');
  const ring = reader.choice(entry, 'ring', ['split', 'packed'], `${at}.ring`) ?? 'split';
  if (ring === 'packed' && legacyTransports.includes(transport))
    reader.problem(
      `${at}.ring: "packed" cannot be offered on transport ${transport}; use transport ${transport.replace('-legacy', '')} or ring split`,
    );

  const position = counts.get(type) ?? 0;
  counts.set(type, position + 1);
  const slot = onPci
    ? reader.whole(entry, 'slot', 1, 31, `${at}.slot`)
    : reader.whole(entry, 'slot', 0, 7, `${at}.slot`);
  const queueSize = reader.whole(entry, 'queueSize', 1, 32_768, `${at}.queueSize`);
  if (queueSize !== undefined && ring === 'split' && (queueSize & (queueSize - 1)) !== 0)
    reader.problem(`${at}.queueSize: found ${queueSize}, expected a power of two (a split ring's size)`);
  const features = reader.texts(entry, 'features', `${at}.features`);
  for (const feature of features) {
    if (!/^[+-]\w+$/.test(feature))
      reader.problem(`${at}.features: found "${feature}", expected + or - and a feature name, such as "+EVENT_IDX"`);
  }
  const latency = parseLatency(reader, entry['latency'], `${at}.latency`);
  const image = reader.text(entry, 'image', `${at}.image`);
  if (type === 'block' && (image === undefined || image === ''))
    reader.problem(`${at}.image: missing; give the disk image file of the block device`);
  const mode = reader.choice(entry, 'mode', ['overlay', 'readonly', 'write'], `${at}.mode`);
  if (mode === 'write' && !context.mayWriteFiles)
    reader.problem(
      `${at}.mode: "write" changes the image file, which a workspace must be trusted for; trust the workspace or use overlay`,
    );
  const serial = reader.text(entry, 'serial', `${at}.serial`);
  if (serial !== undefined && serial.length > 20)
    reader.problem(`${at}.serial: found ${serial.length} characters, expected at most 20`);
  return {
    type,
    name: reader.text(entry, 'name', `${at}.name`) ?? defaultName(type, position),
    transport,
    dialect: parseDialect(reader, entry, transport, at),
    ...parsePci(reader, entry['pci'], onPci, `${at}.pci`),
    ...(slot !== undefined && { slot }),
    ...(queueSize !== undefined && { queueSize }),
    ...(entry['sharedMemory'] !== undefined && {
      sharedMemory: parseSharedMemory(reader, entry['sharedMemory'], `${at}.sharedMemory`),
    }),
    ring,
    features,
    fetchNanoseconds: defaultFetchNanoseconds,
    completeNanoseconds: latency ?? defaultCompleteNanoseconds,
    onDriverError:
      reader.choice(entry, 'onDriverError', ['qemu', 'needs-reset', 'ignore'], `${at}.onDriverError`) ?? 'qemu',
    mood: parseMood(entry['mood'], (text) => reader.problem(`${at}.mood: ${text}`)),
    hostile: reader.flag(entry, 'hostile', `${at}.hostile`) ?? false,
    ...(type === 'block' &&
      image !== undefined &&
      image !== '' && { image: context.resolvePath(image), mode: mode ?? 'overlay' }),
    ...(serial !== undefined && { serial }),
    ...(type === 'net' && {
      network: parseNetwork(reader, entry, at, position, context, (value, where) => parseLatency(reader, value, where)),
    }),
  };
}

/** The emulator says which ids and sizes there can be; here only the shape counts. */
function parseSharedMemory(reader: Reader, value: unknown, at: string): readonly SharedMemoryOptions[] {
  const isRegion = (one: unknown): one is SharedMemoryOptions =>
    typeof one === 'object' &&
    one !== null &&
    Object.keys(one).length === 2 &&
    'id' in one &&
    typeof one.id === 'number' &&
    'bytes' in one &&
    typeof one.bytes === 'number';
  if (Array.isArray(value) && value.every(isRegion)) return value;
  reader.problem(`${at}: expected a list of regions such as { "id": 1, "bytes": 65536 }`);
  return [];
}

/** Legacy transports speak the legacy dialect and no other. */
function parseDialect(reader: Reader, entry: Fields, transport: Transport, at: string): Dialect {
  const wanted = entry['dialect'];
  const isLegacy = transport.endsWith('legacy');
  if (wanted === 'legacy' && !isLegacy)
    reader.problem(`${at}.dialect: "legacy" is spoken over a legacy transport; set transport to mmio-legacy`);
  else if (wanted !== undefined && wanted !== 'legacy' && isLegacy)
    reader.problem(`${at}.dialect: found ${JSON.stringify(wanted)}, but ${transport} speaks "legacy" only; remove one`);
  else if (wanted !== 'legacy')
    return reader.choice(entry, 'dialect', ['1.x', 'draft-virtio30'], `${at}.dialect`) ?? '1.x';
  return '1.x';
}

/** Virtual time from a notification to the fetch, and from the fetch to the completion, unless `latency` says otherwise. */
const defaultFetchNanoseconds = 1_000;
const defaultCompleteNanoseconds = 10_000;

function parseLatency(reader: Reader, value: unknown, at: string): number | undefined {
  if (value === undefined) return undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)$/.exec(value) : null;
  const unit = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 }[match?.[2] ?? ''];
  const nanoseconds = match !== null && unit !== undefined ? Math.round(Number(match[1]) * unit) : Number.NaN;
  if (nanoseconds >= 0 && nanoseconds <= 60e9) return nanoseconds;
  reader.problem(`${at}: found ${show(value)}, expected a time up to 60s such as "10us"`);
  return undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** ` (did you mean "x"?)` for a name that differs in little, else nothing. */
export function suggestion(name: string, allowed: readonly string[]): string {
  const near = allowed
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(1, Math.floor(name.length / 3))
    ? ` (did you mean "${near.candidate}"?)`
    : '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
