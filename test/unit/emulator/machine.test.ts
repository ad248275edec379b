// When a machine comes back from `run`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine } from '../../../emulator/machine';

/** Waits for ever: `wfi`, and a jump back to it. */
const waiting = new Uint8Array(new Uint32Array([0x1050_0073, 0xffdf_f06f]).buffer);

test('a stop that is asked for while every hart waits comes at once, not after all idle time', () => {
  const machine = new Machine({
    memoryBytes: 4 << 20,
    harts: 1,
    bios: { kind: 'none' },
    guest: { name: 'waiting', bytes: waiting },
    devices: [],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
  });
  const done: string[] = [];
  machine.clock.handle('first', () => {
    done.push('first');
    machine.requestStop();
  });
  machine.clock.handle('second', () => done.push('second'));
  machine.clock.schedule('first', 1_000_000, 0);
  machine.clock.schedule('second', 2_000_000, 0);
  assert.deepEqual(machine.run({ untilStep: 1_000_000, skipIdle: true }), { kind: 'paused' });
  assert.deepEqual(done, ['first']);
  assert.ok(machine.clock.now() < 2_000_000);
  // It was one request: the next run goes on to the end of what is due.
  assert.deepEqual(machine.run({ untilStep: 1_000_000, skipIdle: true }).kind, 'idle');
  assert.deepEqual(done, ['first', 'second']);
});
