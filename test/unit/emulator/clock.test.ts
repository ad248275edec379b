// Virtual time and the queue of what is due in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../../emulator/clock';

function setUp(harts = 1) {
  const state = { step: 0, sooner: [] as number[], ran: [] as string[] };
  const clock = new Clock(
    () => state.step,
    harts,
    (step) => state.sooner.push(step),
  );
  clock.handle('a', (token) => state.ran.push(`a${token}`));
  clock.handle('b', (token) => state.ran.push(`b${token}`));
  const runAll = (): void => {
    while (clock.runOneDue());
  };
  return { clock, state, runAll };
}

test('time is steps over harts plus what was skipped', () => {
  const { clock, state } = setUp(4);
  state.step = 402;
  assert.equal(clock.now(), 100);
  clock.schedule('a', 50, 0);
  assert.equal(clock.skip(30), true);
  assert.equal(clock.now(), 130);
  assert.equal(clock.untilNext(), 20);
  clock.skip(1000);
  assert.equal(clock.untilNext(), 0);
});

test('entries run in order of time, equal times in order of scheduling, one at a time', () => {
  const { clock, state, runAll } = setUp();
  clock.schedule('a', 20, 1);
  clock.schedule('b', 10, 2);
  clock.schedule('a', 10, 3);
  assert.deepEqual(state.sooner, [20, 10]);
  assert.equal(clock.nextStep(), 10);
  state.step = 9;
  assert.equal(clock.runOneDue(), false);
  state.step = 10;
  assert.equal(clock.runOneDue(), true);
  assert.deepEqual(state.ran, ['b2']);
  runAll();
  assert.deepEqual(state.ran, ['b2', 'a3']);
  state.step = 20;
  runAll();
  assert.deepEqual(state.ran, ['b2', 'a3', 'a1']);
});

test('cancel forgets an owner, or only a token of it', () => {
  const { clock, state, runAll } = setUp();
  clock.schedule('a', 1, 1);
  clock.schedule('a', 1, 2);
  clock.schedule('b', 1, 3);
  clock.cancel('a', 1);
  clock.cancel('b');
  state.step = 1;
  runAll();
  assert.deepEqual(state.ran, ['a2']);
});

test('reschedule leaves one entry of an owner and token, the newest', () => {
  const { clock, state, runAll } = setUp();
  clock.schedule('a', 9, 1);
  clock.schedule('a', 1, 2);
  clock.reschedule('a', 5, 1);
  clock.reschedule('a', 3, 1);
  state.step = 3;
  runAll();
  assert.deepEqual(state.ran, ['a2', 'a1']);
  assert.equal(clock.nextStep(), undefined);
});

test('a saved clock goes on as if it had not been saved', () => {
  const { clock, state, runAll } = setUp();
  clock.schedule('a', 5, 1);
  clock.skip(2);
  const saved = structuredClone(clock.save());
  clock.schedule('b', 1, 9);
  clock.restore(saved);
  state.step = 3;
  runAll();
  assert.deepEqual(state.ran, ['a1']);
  assert.equal(clock.skip(1), false);
});
