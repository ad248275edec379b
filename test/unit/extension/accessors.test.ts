// Which functions only carry a register access, and when a breakpoint's hit count is reached.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPlainAccess } from '../../../extension/worker/accessors';
import { hitCounts } from '../../../extension/worker/breakpoints';

test('a leaf with one access outside its stack frame is an accessor', () => {
  assert.equal(isPlainAccess(['sw a1, 0(a0)', 'ret']), true);
  assert.equal(
    isPlainAccess([
      'addi sp, sp, -32',
      'sd s0, 24(sp)',
      'addi s0, sp, 32',
      'sd a0, -24(s0)',
      'ld a5, -24(s0)',
      'lw a5, 0(a5)',
      'ld s0, 24(sp)',
      'ret',
    ]),
    true,
  );
  assert.equal(isPlainAccess(['fence iorw, iorw', 'lw a0, 0(a0)', 'fence i, r', 'jalr zero, 0(ra)']), true);
});

test('a function that loads its register base, calls, or touches two places is the driver itself', () => {
  assert.equal(isPlainAccess(['ld a5, 0(a0)', 'sw a1, 112(a5)', 'ret']), false);
  assert.equal(isPlainAccess(['sw a1, 0(a0)', 'jal ra, 80001000', 'ret']), false);
  assert.equal(isPlainAccess(['sw a1, 0(a0)', 'jalr ra, 0(a5)', 'ret']), false);
  assert.equal(isPlainAccess(['addi a0, a0, 1', 'ret']), false);
});

test('hit conditions', () => {
  const at = (condition: string): number[] => [1, 2, 3, 4, 5, 6].filter((hits) => hitCounts(condition, hits));
  assert.deepEqual(at('3'), [3]);
  assert.deepEqual(at('== 3'), [3]);
  assert.deepEqual(at('>4'), [5, 6]);
  assert.deepEqual(at('<= 2'), [1, 2]);
  assert.deepEqual(at('%2'), [2, 4, 6]);
  assert.deepEqual(at('%0'), []);
});
