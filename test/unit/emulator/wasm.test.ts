// The WebAssembly writer: what it writes is valid and does what was written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '../../../emulator/wasm/bytes';
import { ModuleWriter } from '../../../emulator/wasm/module';

test('LEB128 of corner values', () => {
  const hex = (writer: ByteWriter): string => Buffer.from(writer.take()).toString('hex');
  assert.equal(hex(new ByteWriter().unsigned(624485)), 'e58e26');
  assert.equal(hex(new ByteWriter().unsigned(0xffff_ffff)), 'ffffffff0f');
  assert.equal(hex(new ByteWriter().signed32(-123456)), 'c0bb78');
  assert.equal(hex(new ByteWriter().signed64(-(2n ** 63n))), '8080808080808080807f');
  assert.equal(hex(new ByteWriter().signed64(64n)), 'c000');
});

test('functions, imports, locals, loops, tables and memory', () => {
  const module = new ModuleWriter();
  module.importMemory('e', 'memory', 1, 2, false);
  const twice = module.importFunction('e', 'twice', ['i64'], ['i64']);
  const sum = module.function(['i32'], ['i64'], 'sum');
  const total = sum.local('i64');
  const n = sum.parameter(0);
  const done = sum.block();
  const again = sum.loop();
  sum.get(n).op('i32.eqz').brIf(done);
  sum.get(total).get(n).op('i64.extend_i32_u').call(twice).op('i64.add').set(total);
  sum.get(n).i32(1).op('i32.sub').set(n).br(again).end().end();
  sum.i32(8).get(total).store('i64.store').i32(0).load('i64.load', 8);
  const choose = module.function(['i32'], ['i32'], 'choose');
  const labels = [choose.block(), choose.block()];
  choose.get(choose.parameter(0)).brTable([labels[1]!], labels[0]!).end().i32(10).return().end().i32(20);
  module.table(1);
  module.element(0, [sum.index]);
  const indirect = module.function(['i32'], ['i64'], 'indirect');
  indirect
    .get(indirect.parameter(0))
    .i32(0)
    .callIndirect(module.signature(['i32'], ['i64']));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
    e: { memory, twice: (value: bigint) => value * 2n },
  });
  const run = exports as { sum(n: number): bigint; choose(i: number): number; indirect(n: number): bigint };
  assert.equal(run.sum(10), 110n);
  assert.equal(new DataView(memory.buffer).getBigInt64(8, true), 110n);
  assert.equal(run.choose(0), 10);
  assert.equal(run.choose(5), 20);
  assert.equal(run.indirect(3), 12n);
});

test('mistakes are found while writing', () => {
  const module = new ModuleWriter();
  const open = module.function([], []);
  const label = open.block();
  assert.throws(() => module.finish(), /1 blocks left open/);
  open.end();
  assert.throws(() => open.br(label), /closed/);
  assert.throws(() => open.end(), /without an open block/);
  assert.throws(() => module.importFunction('e', 'late', [], []), /after a function/);
});
