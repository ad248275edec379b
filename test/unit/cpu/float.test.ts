// The floating-point functions against exact rational arithmetic: corner cases in all rounding modes, and seeded random operands.
import assert from 'node:assert/strict';
import test from 'node:test';
import { declareFloatFunctions, type FloatOperation } from '../../../emulator/cpu/float/index';
import { ModuleWriter } from '../../../emulator/wasm/module';
import { reference } from '../../reference/float';
import { cornerOperands, operandsOf, randomOperand } from '../../reference/float-operands';
import { seededRandom } from '../../reference/random';

type Callable = (flagsAddress: number, mode: number, ...operands: bigint[]) => bigint;
const isCallable = (value: unknown): value is Callable => typeof value === 'function';

const flagsAddress = 16;
const { functions, setFlags, flags } = instantiate();

function instantiate() {
  const module = new ModuleWriter();
  module.importMemory('host', 'memory', 1, 1, false);
  const indices = declareFloatFunctions(module);
  const operations = Object.keys(indices) as FloatOperation[];
  for (const operation of operations) {
    const operandCount = operandsOf(operation).length;
    const parameters = ['i32', 'i32', 'i64', 'i64', 'i64'].slice(0, 2 + operandCount) as ('i32' | 'i64')[];
    const f = module.function(parameters, ['i64'], operation);
    parameters.forEach((_, position) => f.get(f.parameter(position)));
    f.call(indices[operation]);
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.finish())), {
    host: { memory },
  });
  const words = new Int32Array(memory.buffer);
  const byName = new Map(
    operations.map((operation): [FloatOperation, Callable] => {
      const exported = instance.exports[operation];
      if (!isCallable(exported)) throw new Error(`${operation} is not exported`);
      return [operation, exported];
    }),
  );
  return {
    functions: byName,
    setFlags: (value: number) => (words[flagsAddress / 4] = value),
    flags: () => words[flagsAddress / 4] ?? -1,
  };
}

const hexadecimal = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, '0');

/** Compares with flags clear, which goes the exact way, and with the inexact flag set, which allows native arithmetic. */
function check(operation: FloatOperation, call: Callable, mode: number, operands: readonly bigint[]): void {
  const expected = reference(operation, mode, operands);
  for (const before of [0, 1, 0xa0]) {
    setFlags(before);
    const value = BigInt.asUintN(64, call(flagsAddress, mode, ...operands));
    const raised = flags();
    if (value !== expected.value || raised !== (expected.flags | before)) {
      assert.fail(
        `${operation} mode ${mode} flags before ${before} of ${operands.map(hexadecimal).join(', ')}: expected ` +
          `${hexadecimal(expected.value)} flags ${expected.flags | before}, got ${hexadecimal(value)} flags ${raised}`,
      );
    }
  }
}

const modes = [0, 1, 2, 3, 4];
const seed = Number(process.env['SEED'] ?? 20250101);
const randomCount = Number(process.env['COUNT'] ?? 1500);

test('every F, D and Zfa operation is declared', () => {
  assert.equal(functions.size, 2 * (15 + 8 + 7) + 3);
});

for (const [operation, call] of functions) {
  test(`${operation}: corner cases in all rounding modes`, () => {
    const kinds = operandsOf(operation);
    const [first = [], second = [0n], third = [0n]] = kinds.map((kind) => cornerOperands(kind, kinds.length));
    for (const mode of modes) {
      for (const a of first) {
        for (const b of second) for (const c of third) check(operation, call, mode, [a, b, c].slice(0, kinds.length));
      }
    }
  });

  test(`${operation}: random operands, seed ${seed}`, () => {
    const random = seededRandom(`${seed} ${operation}`);
    for (let round = 0; round < randomCount; round++) {
      const operands: bigint[] = [];
      for (const kind of operandsOf(operation)) operands.push(randomOperand(random, kind, operands));
      check(operation, call, round % 5, operands);
    }
  });
}
