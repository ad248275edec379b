// Chains of network devices in words and fields, before and after the device has written its part. [virtio 1.4, 5.1.9]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ram } from '../../../emulator/bus/ram';
import type { Chain } from '../../../emulator/record/events';
import { deviceId } from '../../../emulator/virtio/spec/device-id';
import { feature, featureSet } from '../../../emulator/virtio/spec/feature';
import { netFeature } from '../../../emulator/virtio/spec/net';
import { type ChainSubject, decodeChain } from '../../../extension/views/pictures/requests';
import { pattern, tcp, udp, type Ends } from '../../driver/frames';

const ramBase = 0x8000_0000;
const memory = new Ram({ ram: new Uint8Array(0x1_0000), ramBase, noteOutsideWrite: () => undefined });
const ends: Ends = {
  to: [2, 0, 0, 0, 0, 1],
  from: [2, 0, 0, 0, 0, 2],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};

function chainOf(...pieces: readonly { at: number; length: number; writable?: boolean }[]): Chain {
  return {
    head: 0,
    slot: 0,
    position: 0,
    tables: [],
    defects: [],
    elements: pieces.map(({ at, length, writable }, index) => ({
      index,
      at: ramBase,
      address: BigInt(ramBase + at),
      length,
      flags: 0,
      next: 0,
      deviceWritable: writable === true,
      indirect: false,
    })),
  };
}
function subject(queue: number, answered = false, ...features: number[]): ChainSubject {
  const accepted = featureSet(feature.VERSION_1, netFeature.CTRL_VQ, ...features);
  return {
    deviceId: deviceId.net,
    queue,
    memory,
    answered,
    state: { features: { accepted }, configValues: new Map() },
  };
}

test('a packet to send is named, with the fields of its header', () => {
  const frame = tcp(ends, { sourcePort: 5, destinationPort: 80, flags: 2 }, pattern(10));
  memory.write(ramBase, Uint8Array.of(1, 0x81, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0, 0));
  memory.write(ramBase + 0x100, frame);
  const { request, elements } = decodeChain(
    chainOf({ at: 0, length: 12 }, { at: 0x100, length: frame.length }),
    subject(1),
  );
  assert.equal(request, 'send TCP 10.0.2.15:5 → 10.0.2.2:80 SYN, 10 bytes');
  assert.deepEqual(
    elements.map(({ role, note }) => [role, note]),
    [
      ['header', 'GSO TCPV4'],
      ['frame', ''],
    ],
  );
  assert.deepEqual(elements[0]?.fields.map(({ name, value, meaning }) => [name, value, meaning]).slice(0, 4), [
    ['flags', '1', 'NEEDS_CSUM'],
    ['gso_type', '129', 'TCPV4 | ECN'],
    ['hdr_len', '54', 'length of the headers'],
    ['gso_size', '1,460', 'payload of a segment'],
  ]);
});

test('receive buffers are room first and a packet then', () => {
  const frame = udp(ends, 53, 9, pattern(20));
  memory.write(ramBase, Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0));
  memory.write(ramBase + 12, frame);
  const chain = chainOf({ at: 0, length: 1526, writable: true });
  assert.match(decodeChain(chain, subject(0)).request, /^room for /);
  const { request, elements } = decodeChain(chain, subject(0, true));
  assert.equal(request, 'received DNS 10.0.2.15:53 → 10.0.2.2:9, 20 bytes');
  assert.deepEqual([elements[0]?.role, elements[0]?.note], ['header, frame', 'DATA_VALID']);
  assert.equal(decodeChain(chain, subject(0, true, netFeature.HASH_REPORT)).elements[0]?.fields.length, 10);
});

test('a command is named, and its answer once it is there', () => {
  memory.write(ramBase, Uint8Array.of(0, 1, 1, 0));
  const chain = chainOf({ at: 0, length: 2 }, { at: 2, length: 1 }, { at: 3, length: 1, writable: true });
  const { request, elements } = decodeChain(chain, subject(2));
  assert.equal(request, 'receive all multicast');
  assert.deepEqual(
    elements.map(({ role, note }) => [role, note]),
    [
      ['command', 'RX_ALLMULTI'],
      ['data', ''],
      ['answer', 'not set'],
    ],
  );
  assert.equal(decodeChain(chain, subject(2, true)).elements[2]?.note, 'OK');
});
