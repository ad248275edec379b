// The attributes of a network device in a launch configuration: checked, with defaults filled in.
import type { NetworkBackendName, NetworkEntry } from '../debug/launch-configuration';
import type { LaunchContext, Reader } from './parse-launch';

type Fields = Readonly<Record<string, unknown>>;

export const networkAttributes = [
  'backend',
  'mac',
  'mtu',
  'pairs',
  'announce',
  'capture',
  'replay',
  'tftp',
  'bootFile',
] as const;
const backends: readonly NetworkBackendName[] = ['none', 'loopback', 'user', 'hub', 'replay'];
/** As QEMU numbers its network devices. */
const firstAddress = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
/** Attributes that mean something with one backend only. */
const backendOf: Readonly<Record<string, NetworkBackendName>> = { replay: 'replay', tftp: 'user', bootFile: 'user' };

/**
 * @param position among the network devices, from 0
 * @param latency reads a time
 */
export function parseNetwork(
  reader: Reader,
  entry: Fields,
  at: string,
  position: number,
  context: LaunchContext,
  latency: (value: unknown, at: string) => number | undefined,
): NetworkEntry {
  const backend = reader.choice(entry, 'backend', backends, `${at}.backend`) ?? 'none';
  if (backend === 'user' && !context.mayWriteFiles) {
    reader.problem(
      `${at}.backend: "user" lets the guest reach the network of this computer, which a workspace must be trusted for; trust the workspace or use none, loopback, hub or replay`,
    );
  }
  for (const [name, needed] of Object.entries(backendOf)) {
    if (entry[name] !== undefined && backend !== needed)
      reader.problem(`${at}.${name}: means nothing with the backend ${backend}; use it with "${needed}", or remove it`);
  }
  const path = (name: string): string | undefined => {
    const value = reader.text(entry, name, `${at}.${name}`);
    if (value === '') reader.problem(`${at}.${name}: found an empty path`);
    return value === undefined || value === '' ? undefined : context.resolvePath(value);
  };
  const capture = path('capture');
  if (capture !== undefined && !context.mayWriteFiles)
    reader.problem(
      `${at}.capture: writes a file, which a workspace must be trusted for; trust the workspace or remove it`,
    );
  const replay = path('replay');
  if (backend === 'replay' && replay === undefined)
    reader.problem(`${at}.replay: missing; give the pcapng file whose frames the device receives`);
  const tftp = path('tftp');
  const bootFile = reader.text(entry, 'bootFile', `${at}.bootFile`);
  const announceNanoseconds = latency(entry['announce'], `${at}.announce`);
  return {
    backend,
    address: parseAddress(reader, entry, at) ?? defaultAddress(position),
    mtu: reader.whole(entry, 'mtu', 68, 65_535, `${at}.mtu`) ?? 1500,
    pairs: reader.whole(entry, 'pairs', 1, 8, `${at}.pairs`) ?? 1,
    ...(announceNanoseconds !== undefined && { announceNanoseconds }),
    ...(capture !== undefined && { capture }),
    ...(replay !== undefined && { replay }),
    ...(tftp !== undefined && { tftp }),
    ...(bootFile !== undefined && { bootFile }),
  };
}

function parseAddress(reader: Reader, entry: Fields, at: string): readonly number[] | undefined {
  const text = reader.text(entry, 'mac', `${at}.mac`);
  if (text === undefined) return undefined;
  const bytes = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? text.split(':').map((byte) => parseInt(byte, 16)) : [];
  const isUnicast = bytes.length === 6 && ((bytes[0] ?? 0) & 1) === 0 && bytes.some((byte) => byte !== 0);
  if (isUnicast) return bytes;
  reader.problem(`${at}.mac: found "${text}", expected a unicast address such as "52:54:00:12:34:56"`);
  return undefined;
}

function defaultAddress(position: number): readonly number[] {
  return [...firstAddress.slice(0, 5), (firstAddress[5] + position) & 0xff];
}
