// Two harts that share a queue: one adds, the other publishes, either notifies, and the one that did not publish reaps. Whatever keeps the order
// between them is silent under every rule, also where the device sees stores late; a lock that does not release is told. [RISC-V unpriv. 17.1;
// virtio 1.4, 2.7.13, 2.8.21]
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { buildGuest, sampleFolder } from './harness/compiler';
import { runOnRingside, type RingsideResult } from './harness/ringside';

const folder = 'test/guest/programs';
const source = `${folder}/ordering/two-harts.c`;
const disk = path.join(sampleFolder, 'disk.img');

type Flags = Readonly<Record<string, string>>;

const plainRelease = '__asm__ volatile("amoswap.w zero, zero, (%0)" ::"r"(&locked) : "memory")';
const handOver = { ACQUIRE: '', RELEASE: '', TAKEN: 'fence(r, rw)', GIVE: 'fence(rw, w)' };

const kept: readonly { readonly name: string; readonly flags: Flags }[] = [
  { name: 'a lock of atomics with acquire and release', flags: {} },
  { name: 'the lock alone, without a fence before the publish', flags: { PUBLISH_FENCE: '' } },
  { name: 'a lock that is released by a fence and a store', flags: { RELEASE: 'fence(rw, w); *(volatile uint32_t *)&locked = 0' } },
  { name: 'a hand-over by fences, without a lock', flags: handOver },
  { name: 'a hand-over by fences, without a fence before the publish', flags: { ...handOver, PUBLISH_FENCE: '' } },
]; // prettier-ignore

async function run(
  ring: 'split' | 'packed',
  mood: string | undefined,
  flags: Flags,
  onlyFirstStop = false,
): Promise<RingsideResult> {
  const all = { ...flags, ...(ring === 'packed' && { PACKED: '1' }) };
  const elf = buildGuest({
    name: 'two-harts',
    sources: [`${folder}/ordering/two-harts.S`, 'media/sample/uart.c', `${folder}/finisher.c`, `${folder}/driver.c`, source],
    flags: Object.entries(all).map(([name, text]) => `-D${name}=${text}`),
    optimisation: '-O2',
  }); // prettier-ignore
  const device = { type: 'block', name: 'vda', image: disk, mode: 'overlay', ring };
  const moods = mood === undefined ? {} : { mood: { [mood]: true } };
  return runOnRingside({ elf, harts: 2, onlyFirstStop, attributes: { devices: [{ ...device, ...moods }] } });
}

const told = ({ violations }: RingsideResult): object =>
  violations.map(({ rule, source: at }) => ({ rule, line: at?.line }));

for (const ring of ['split', 'packed'] as const) {
  for (const mood of [undefined, 'storeBuffer', 'eagerFetch']) {
    for (const { name, flags } of kept) {
      test(`${ring}, ${mood ?? 'friendly'}, ${name}: nothing`, async () => {
        const result = await run(ring, mood, flags);
        assert.equal(result.status, 0, result.console);
        assert.deepEqual(told(result), []);
      });
    }
  }
  test(`${ring}, a lock without release: silent by chance, told where stores come late`, async () => {
    // Whoever publishes notifies, so that the device is told of every request; what it then reads may be of the one before.
    const flags = { RELEASE: plainRelease, PUBLISH_FENCE: '', 'NOTIFIED_BY(round)': '((round) + 1) % 2' };
    const friendly = await run(ring, undefined, flags);
    assert.deepEqual([friendly.status, told(friendly)], [0, []], friendly.console);
    const { stops } = await run(ring, 'storeBuffer', flags, true);
    assert.deepEqual(
      stops.map(({ rule }) => rule),
      ['ordering.stale-fetch'],
    );
  });
}
