// pcapng files: what is written can be read, by us and by others, and files that are none are refused. [draft-ietf-opsawg-pcapng]
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { CaptureError, CaptureWriter, decodeCapture, readCapture } from '../../../../extension/backends/capture';
import { createNetworks } from '../../../../extension/backends/create-network';
import type { NetworkEntry } from '../../../../extension/debug/launch-configuration';
import { pattern } from '../../../driver/frames';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-capture-'));
after(() => fs.rmSync(folder, { recursive: true }));
const file = path.join(folder, 'a.pcapng');

test('frames come back with direction and time, to the nanosecond', () => {
  const writer = new CaptureWriter(file);
  writer.write('net0', 'sent', pattern(60), 5_000_000_001);
  writer.write('net1', 'received', pattern(61), 5_000_000_003);
  writer.close();
  assert.deepEqual(readCapture(file), [
    { bytes: pattern(60), nanoseconds: 0, direction: 'sent' },
    { bytes: pattern(61), nanoseconds: 2, direction: 'received' },
  ]);
  // Section header, two interfaces and two packets, each with its length at both ends.
  const bytes = fs.readFileSync(file);
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += lengths.at(-1) ?? 1) {
    const length = bytes.readUInt32LE(at + 4);
    assert.equal(bytes.readUInt32LE(at + length - 4), length);
    lengths.push(length);
  }
  assert.equal(lengths.length, 5);
});

test('a file that cannot be used is named', () => {
  assert.throws(() => new CaptureWriter(path.join(folder, 'none', 'a')), CaptureError);
  assert.throws(() => readCapture(path.join(folder, 'none')), /none cannot be read \(ENOENT\)/);
  fs.writeFileSync(path.join(folder, 'text'), 'this is no capture at all');
  assert.throws(() => readCapture(path.join(folder, 'text')), /it is no pcapng file/);
});

test('any change of a capture is read or refused', () => {
  const writer = new CaptureWriter(file);
  for (let i = 0; i < 3; i++) writer.write('net0', 'received', pattern(20 + i), i);
  writer.close();
  const bytes = new Uint8Array(fs.readFileSync(file));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 5 }),
      fc.nat(bytes.length),
      (changes, length) => {
        const changed = bytes.slice(0, length);
        for (const [at, value] of changes) if (at < changed.length) changed[at] = value;
        try {
          for (const frame of decodeCapture(changed)) assert.ok(frame.bytes.length <= changed.length);
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('devices on a hub hear each other, a loop hears itself, and one without a backend nobody', () => {
  const entry = (backend: NetworkEntry['backend']): NetworkEntry => ({
    backend,
    address: [2, 0, 0, 0, 0, 1],
    mtu: 1500,
    pairs: 1,
  });
  const shared = path.join(folder, 'shared.pcapng');
  const networks = createNetworks([
    { name: 'a', network: { ...entry('hub'), capture: shared } },
    { name: 'b', network: { ...entry('hub'), capture: shared } },
    { name: 'c', network: entry('hub') },
    { name: 'd', network: entry('loopback') },
    { name: 'e', network: entry('none') },
  ]);
  let arrivals = 0;
  networks.onArrival = () => arrivals++;
  const sent = (name: string): string[] => {
    assert.ok(networks.output(`${name}.sent`, pattern(60), 1));
    return networks.take().map(({ channel }) => channel);
  };
  assert.deepEqual([sent('a'), sent('d'), sent('e')], [['b', 'c'], ['d'], []]);
  assert.ok(networks.output('b.received', pattern(60), 2));
  assert.equal(networks.output('console0', pattern(3), 2), false);
  assert.equal(networks.output('a.other', pattern(3), 2), false);
  assert.equal(arrivals, 3);
  networks.close();
  assert.deepEqual(
    readCapture(shared).map(({ direction }) => direction),
    ['sent', 'received'],
  );
});
