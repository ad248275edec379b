// The `pci` attribute of a device: how a virtio-pci function lays itself out. [virtio 1.4, 4.1.4]
import type { PciCapabilityName, PciOptions } from '../../emulator/configuration';
import type { Reader } from './parse-launch';

const capabilityNames: readonly PciCapabilityName[] = [
  'common', 'notify', 'isr', 'device', 'config-access', 'shared-memory', 'vendor', 'reserved-type', 'reserved-bar',
]; // prettier-ignore
const bars = [0, 2, 4] as const;
/** The emulator says why a value cannot be; here only its kind and range count. */
const largest = 0x10_0000;

export const pciOptionNames = [
  'capabilities', 'bar', 'barSpace', 'spacing', 'firstOffset', 'notifyOffMultiplier', 'queueNotifyOff', 'queueNotifConfigData', 'capabilityPadding', 'revision',
  'msixVectors',
] as const; // prettier-ignore

/** @param at what the attribute is called, for problems */
export function parsePciOptions(reader: Reader, fields: Readonly<Record<string, unknown>>, at: string): PciOptions {
  for (const name of Object.keys(fields)) {
    if (!pciOptionNames.some((known) => known === name))
      reader.problem(`${at}.${name}: unknown attribute; allowed are ${pciOptionNames.join(', ')}`);
  }
  const whole = (name: string, to = largest): number | undefined => reader.whole(fields, name, 0, to, `${at}.${name}`);
  const limits = [['spacing'], ['firstOffset'], ['notifyOffMultiplier'], ['capabilityPadding', 64], ['revision', 255], ['msixVectors', 2048]] as const; // prettier-ignore
  const numbers = limits.flatMap(([name, to]) => {
    const value = whole(name, to);
    return value === undefined ? [] : [[name, value] as const];
  });
  const barSpace = reader.choice(fields, 'barSpace', ['memory32', 'memory64'], `${at}.barSpace`);
  const wantedBar = whole('bar', 5);
  const bar = bars.find((number) => number === wantedBar);
  if (wantedBar !== undefined && bar === undefined)
    reader.problem(`${at}.bar: found ${wantedBar}, expected one of ${bars.join(', ')}`);
  const capabilities = reader.texts(fields, 'capabilities', `${at}.capabilities`).flatMap((text) => {
    const name = capabilityNames.find((known) => known === text);
    if (name === undefined)
      reader.problem(`${at}.capabilities: found "${text}", expected names out of ${capabilityNames.join(', ')}`);
    return name === undefined ? [] : [name];
  });
  return {
    ...Object.fromEntries(numbers),
    ...(barSpace !== undefined && { barSpace }),
    ...(bar !== undefined && { bar }),
    ...(fields['capabilities'] !== undefined && { capabilities }),
    ...(fields['queueNotifyOff'] !== undefined && { queueNotifyOff: perQueue(reader, fields, 'queueNotifyOff', at) }),
    ...(fields['queueNotifConfigData'] !== undefined && {
      queueNotifConfigData: perQueue(reader, fields, 'queueNotifConfigData', at),
    }),
  };
}

function perQueue(
  reader: Reader,
  fields: Readonly<Record<string, unknown>>,
  name: string,
  at: string,
): readonly number[] {
  const value = fields[name];
  const isWord = (item: unknown): item is number =>
    typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 0xffff;
  if (Array.isArray(value) && value.every(isWord)) return value;
  reader.problem(`${at}.${name}: expected a list of whole numbers from 0 to 65535, one for each queue`);
  return [];
}
