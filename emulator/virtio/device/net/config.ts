// The network device's configuration space: its numbers and their bytes. [virtio 1.4, 5.1.4]
import { netConfigFields, netStatus } from '../../spec/net';
import { rssKeyBytes, rssTableEntries } from '../../spec/net-control';
import { littleEndian } from '../../spec/wire-layout';
import { supportedHashTypes } from './hash';

export interface NetConfigValues {
  readonly address: Uint8Array;
  readonly announce: boolean;
  readonly maximumPairs: number;
  readonly mtu: number;
}

/** Mbit/s; there is no wire, so any number is as true as another. */
const speed = 10_000;
/** Neither full nor half. */
const unknownDuplex = 0xff;
const configBytes = Math.max(...netConfigFields.map((field) => field.offset + field.size));

export function encodeNetConfig({ address, announce, maximumPairs, mtu }: NetConfigValues): Uint8Array {
  const values: Readonly<Record<string, number>> = {
    ...Object.fromEntries(Array.from(address, (byte, i) => [`mac[${i}]`, byte])),
    status: netStatus.LINK_UP | (announce ? netStatus.ANNOUNCE : 0),
    max_virtqueue_pairs: maximumPairs,
    mtu,
    speed,
    duplex: unknownDuplex,
    rss_max_key_size: rssKeyBytes,
    rss_max_indirection_table_length: rssTableEntries,
    supported_hash_types: supportedHashTypes,
  };
  const bytes = new Uint8Array(configBytes);
  for (const { name, offset, size } of netConfigFields) bytes.set(littleEndian(values[name] ?? 0, size), offset);
  return bytes;
}
