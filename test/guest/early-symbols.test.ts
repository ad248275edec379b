// A kernel is linked for addresses behind its page tables and begins at others: breakpoints, lines and stacks must hold there too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { TargetEvent } from '../../extension/debug/target';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { Session } from '../../extension/worker/session';
import { buildGuest, lineOf } from './harness/compiler';

const source = 'test/guest/programs/linked-high.c';

test('breakpoints of a kernel hold before it turns on its page tables', async () => {
  const elf = buildGuest({
    name: 'linked-high',
    sources: [source],
    linkerScript: 'test/guest/programs/linked-high.ld',
  });
  const image = `${elf}.image`;
  execFileSync('riscv64-linux-gnu-objcopy', ['-O', 'binary', elf, image]);
  const session = new Session();
  const heard: TargetEvent[] = [];
  let wake = (): void => undefined;
  session.onEvent((event) => {
    if (event.kind !== 'stopped' && event.kind !== 'finished') return;
    heard.push(event);
    wake();
  });
  const next = async (): Promise<TargetEvent | undefined> => {
    const came = new Promise<void>((resolve) => (wake = resolve));
    await session.resume();
    await came;
    return heard.at(-1);
  };
  await session.launch(
    parseLaunchConfiguration(
      { type: 'virtio', request: 'launch', name: 'high', kernel: image, symbols: [elf], bios: 'none', clock: 'warp' },
      { resolvePath: (file) => file, mayWriteFiles: false },
    ),
  );
  await session.setFunctionBreakpoints([{ id: 1, name: 'early' }]);
  const line = lineOf(source, '// here');
  await session.setSourceBreakpoints(source, [{ id: 2, line }]);

  const first = await next();
  assert.deepEqual(first?.kind === 'stopped' && first.reason, { kind: 'breakpoint', ids: [1] });
  const second = await next();
  assert.deepEqual(second?.kind === 'stopped' && second.reason, { kind: 'breakpoint', ids: [2] });
  const [inner, outer] = await session.backtrace(0, 10);
  assert.deepEqual([inner?.name, inner?.source?.line, outer?.name], ['power_off', line, 'early']);
  assert.ok((inner?.pc ?? 0n) >> 12n === 0x80000n, 'it still runs where it was loaded');
  assert.equal((await next())?.kind, 'finished');
  await session.terminate();
});
