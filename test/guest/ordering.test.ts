// Drivers with every fence that a virtqueue needs, split and packed: each one taken away, or made too weak, makes exactly one rule fire at the access that
// comes too early; fences that do not matter and other ways to keep the same order are silent. [virtio 1.4, 2.7.13, 2.7.14]
import { test } from 'node:test';
import * as assert from 'node:assert/strict';
import * as path from 'node:path';
import { bareMetal, buildGuest, lineOf, sampleFolder } from './harness/compiler';
import { runOnRingside } from './harness/ringside';

const disk = path.join(sampleFolder, 'disk.img');

type Flags = Readonly<Record<string, string>>;

interface Missing {
  readonly name: string;
  readonly flags: Flags;
  readonly rule: string;
  /** Marker of the access that comes too early. */
  readonly line: string;
  /** Without optimisation the value of the index is loaded behind the fence, and its store depends on that load: the order is kept. */
  readonly only?: '-O2';
}

const missing: readonly Missing[] = [
  { name: 'no fence before the index', flags: { PUBLISH_FENCE: '' }, rule: 'ordering.publish', line: 'PUBLISH' },
  { name: 'a fence of loads before the index', flags: { PUBLISH_FENCE: 'fence(r, rw)' }, rule: 'ordering.publish', line: 'PUBLISH' },
  { name: 'a fence of later loads before the index', flags: { PUBLISH_FENCE: 'fence(w, r)' }, rule: 'ordering.publish', line: 'PUBLISH', only: '-O2' },
  { name: 'an acquire before the index', flags: { PUBLISH_FENCE: '(void)used_index_acquire()' }, rule: 'ordering.publish', line: 'PUBLISH' },
  { name: 'a header stored behind the fence', flags: { LATE_STORE: 'request.header.reserved = 0' }, rule: 'ordering.publish-buffer', line: 'PUBLISH' },
  { name: 'no fence before the check', flags: { CHECK_FENCE: '' }, rule: 'ordering.notification-check', line: 'CHECK FLAGS' },
  { name: 'no fence before the check of avail_event', flags: { CHECK_FENCE: '', EVENT_IDX: '1' }, rule: 'ordering.notification-check', line: 'CHECK EVENT' },
  { name: 'a fence of stores before the check', flags: { CHECK_FENCE: 'fence(rw, w)' }, rule: 'ordering.notification-check', line: 'CHECK FLAGS' },
  { name: 'a total store order before the check', flags: { CHECK_FENCE: '__asm__ volatile("fence.tso" ::: "memory")' }, rule: 'ordering.notification-check', line: 'CHECK FLAGS' },
  { name: 'no fence before the doorbell', flags: { DOORBELL_FENCE: '' }, rule: 'ordering.doorbell', line: 'DOORBELL' },
  { name: 'a fence of memory before the doorbell', flags: { DOORBELL_FENCE: 'fence(rw, rw)' }, rule: 'ordering.doorbell', line: 'DOORBELL' },
  { name: 'no fence behind the used index', flags: { USED_FENCE: '' }, rule: 'ordering.used-index', line: 'ENTRY' },
  { name: 'a fence of later stores behind the used index', flags: { USED_FENCE: 'fence(r, w)' }, rule: 'ordering.used-index', line: 'ENTRY' },
  { name: 'no fence before the last look', flags: { RECHECK_FENCE: '' }, rule: 'ordering.recheck', line: 'RECHECK' },
  { name: 'no fence before the last look, with used_event', flags: { RECHECK_FENCE: '', EVENT_IDX: '1' }, rule: 'ordering.recheck', line: 'RECHECK' },
]; // prettier-ignore

const kept: readonly { readonly name: string; readonly flags: Flags }[] = [
  { name: 'the fences as they are', flags: {} },
  { name: 'the fences with VIRTIO_F_EVENT_IDX', flags: { EVENT_IDX: '1' } },
  { name: 'full fences', flags: { PUBLISH_FENCE: 'fence(iorw, iorw)', CHECK_FENCE: 'fence(iorw, iorw)', DOORBELL_FENCE: '', USED_FENCE: 'fence(iorw, iorw)', RECHECK_FENCE: 'fence(iorw, iorw)' } },
  { name: 'fences that do not matter as well', flags: { LATE_STORE: 'fence(r, r); fence(i, i)' } },
  { name: 'total store order where it is enough', flags: { PUBLISH_FENCE: '__asm__ volatile("fence.tso" ::: "memory")', USED_FENCE: '__asm__ volatile("fence.tso" ::: "memory")' } },
  { name: 'the index stored by an atomic with release', flags: { PUBLISH_FENCE: '', 'STORE_INDEX(value)': '(void)(value), add_index_release()' } },
  { name: 'the index stored by an atomic with acquire and release', flags: { PUBLISH_FENCE: '', CHECK_FENCE: '', 'STORE_INDEX(value)': '(void)(value), add_index_both()' } },
  { name: 'the index stored by a conditional with release', flags: { PUBLISH_FENCE: '', 'STORE_INDEX(value)': '(void)(value), add_index_conditional()' } },
  { name: 'the used index loaded with acquire', flags: { USED_FENCE: '', 'LOAD_USED()': 'used_index_acquire()' } },
  { name: 'atomics in place of fences of memory', flags: { PUBLISH_FENCE: 'atomic_barrier()', CHECK_FENCE: 'atomic_barrier()', USED_FENCE: 'atomic_barrier()', RECHECK_FENCE: 'atomic_barrier()' } },
  { name: 'an entry whose address depends on the index, and a fence before the buffer', flags: { USED_FENCE: '', 'READ_ENTRY(slot)': 'dependent_id(slot); fence(r, r)' } },
]; // prettier-ignore

const missingPacked: readonly Missing[] = [
  { name: 'no fence before the flags', flags: { PUBLISH_FENCE: '' }, rule: 'ordering.packed-publish', line: 'PUBLISH' },
  { name: 'a fence of loads before the flags', flags: { PUBLISH_FENCE: 'fence(r, rw)' }, rule: 'ordering.packed-publish', line: 'PUBLISH' },
  { name: 'a header stored behind the fence', flags: { LATE_STORE: 'request.header.reserved = 0' }, rule: 'ordering.packed-publish-buffer', line: 'PUBLISH' },
  { name: 'no fence before the check', flags: { CHECK_FENCE: '' }, rule: 'ordering.packed-notification-check', line: 'CHECK' },
  { name: 'a fence of stores before the check', flags: { CHECK_FENCE: 'fence(rw, w)' }, rule: 'ordering.packed-notification-check', line: 'CHECK' },
  { name: 'no fence before the doorbell', flags: { DOORBELL_FENCE: '' }, rule: 'ordering.doorbell', line: 'DOORBELL' },
  { name: 'a fence of memory before the doorbell', flags: { DOORBELL_FENCE: 'fence(rw, rw)' }, rule: 'ordering.doorbell', line: 'DOORBELL' },
  { name: 'no fence behind the flags', flags: { USED_FENCE: '' }, rule: 'ordering.packed-used-flags', line: 'USED DESCRIPTOR' },
  { name: 'a fence of later stores behind the flags', flags: { USED_FENCE: 'fence(r, w)' }, rule: 'ordering.packed-used-flags', line: 'USED DESCRIPTOR' },
  { name: 'no fence before the last look', flags: { RECHECK_FENCE: '' }, rule: 'ordering.packed-recheck', line: 'RECHECK' },
  { name: 'no fence before the last look, with desc', flags: { RECHECK_FENCE: '', EVENT_IDX: '1' }, rule: 'ordering.packed-recheck', line: 'RECHECK' },
]; // prettier-ignore

const keptPacked: readonly { readonly name: string; readonly flags: Flags }[] = [
  { name: 'the fences as they are', flags: {} },
  { name: 'the fences with VIRTIO_F_EVENT_IDX', flags: { EVENT_IDX: '1' } },
  { name: 'full fences', flags: { PUBLISH_FENCE: 'fence(iorw, iorw)', CHECK_FENCE: 'fence(iorw, iorw)', DOORBELL_FENCE: '', USED_FENCE: 'fence(iorw, iorw)', RECHECK_FENCE: 'fence(iorw, iorw)' } },
  { name: 'fences that do not matter as well', flags: { LATE_STORE: 'fence(r, r); fence(i, i)' } },
  { name: 'total store order where it is enough', flags: { PUBLISH_FENCE: '__asm__ volatile("fence.tso" ::: "memory")', USED_FENCE: '__asm__ volatile("fence.tso" ::: "memory")' } },
  { name: 'the flags stored by an atomic with release', flags: { PUBLISH_FENCE: '', 'STORE_FLAGS(slot,flags)': 'swap_flags_release(slot, flags)' } },
  { name: 'the flags stored by a conditional with release', flags: { PUBLISH_FENCE: '', 'STORE_FLAGS(slot,flags)': 'store_flags_conditional(slot, flags)' } },
  { name: 'the flags loaded with acquire', flags: { USED_FENCE: '', 'LOAD_FLAGS(slot)': 'flags_acquire(slot)' } },
  { name: 'atomics in place of fences of memory', flags: { PUBLISH_FENCE: 'atomic_barrier()', CHECK_FENCE: 'atomic_barrier()', USED_FENCE: 'atomic_barrier()', RECHECK_FENCE: 'atomic_barrier()' } },
]; // prettier-ignore

const rings = [
  { ring: 'split', source: 'test/guest/programs/ordering/driver.c', missing, kept },
  { ring: 'packed', source: 'test/guest/programs/ordering/packed.c', missing: missingPacked, kept: keptPacked },
] as const;

function build(source: string, flags: Flags, optimisation: '-O0' | '-O2'): string {
  return buildGuest({
    name: 'ordering',
    sources: [...bareMetal, 'media/sample/trap.c', 'media/sample/plic.c', 'test/guest/programs/driver.c', source],
    flags: Object.entries(flags).map(([name, text]) => `-D${name}=${text}`),
    optimisation,
  });
}

async function found(
  { ring, source }: (typeof rings)[number],
  flags: Flags,
  optimisation: '-O0' | '-O2',
): Promise<object> {
  const device = { type: 'block', name: 'vda', image: disk, mode: 'overlay', ring };
  const run = await runOnRingside({ elf: build(source, flags, optimisation), attributes: { devices: [device] } });
  assert.equal(run.status, 0, run.console);
  return run.violations.map(({ rule, source: at }) => ({ rule, line: at?.line }));
}

for (const each of rings) {
  for (const optimisation of ['-O0', '-O2'] as const) {
    const title = `${each.ring}, ${optimisation}`;
    for (const { name, flags, rule, line } of each.missing.filter(
      ({ only }) => (only ?? optimisation) === optimisation,
    )) {
      test(`${title}, ${name}: ${rule}`, async () => {
        assert.deepEqual(await found(each, flags, optimisation), [
          { rule, line: lineOf(each.source, `/* ${line} */`) },
        ]);
      });
    }
    for (const { name, flags } of each.kept) {
      test(`${title}, ${name}: nothing`, async () => {
        assert.deepEqual(await found(each, flags, optimisation), []);
      });
    }
  }
}
