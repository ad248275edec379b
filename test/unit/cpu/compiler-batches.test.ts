// Pages that become hot between two looks at the stop word are compiled together, and the code of all of them stays below a bound: what was
// compiled longest ago goes first and comes back when it is hot again. Executions are those of the interpreter all the while.
import assert from 'node:assert';
import { mock, test } from 'node:test';
import { RegionCompiler } from '../../../emulator/cpu/compiler/compiler';
import { allowEngineFeatures } from '../../../extension/worker/engine-features';
import type { Line } from '../../assembler';
import { type BenchOptions, createBench } from './harness';

allowEngineFeatures();

const pages = 40;
/** Arrivals at the loop of each page in a round: more than a page of so few instructions has to wait for. */
const laps = 6000;
/** Above what counts as eager. */
const queuedThreshold = 200;
/** What the host keeps about a module, as the compiler counts it. */
const moduleBytes = 8 << 10;

/** Calls a loop in each of many pages, `rounds` times. */
function manyPages(rounds: number): readonly Line[] {
  const calls = Array.from({ length: pages }, (_, page): Line => ['call', `page${page}`]);
  return [
    ['li', 's0', rounds],
    'again:',
    ...calls,
    ['addi', 's0', 's0', -1],
    ['bnez', 's0', 'again'],
    ['wfi'],
    ...Array.from({ length: pages }, (_, page): readonly Line[] => [
      ['.align', 4096],
      `page${page}:`,
      ['li', 't0', laps],
      `loop${page}:`,
      ['addi', 'a0', 'a0', page + 1],
      ['addi', 't0', 't0', -1],
      ['bnez', 't0', `loop${page}`],
      ['ret'],
    ]).flat(),
  ];
}

/** What the compiler of a processor did while it ran the program, which ends as the interpreter's does. */
function compiled(rounds: number, options: BenchOptions): RegionCompiler['statistics'] {
  const bind = mock.method(RegionCompiler.prototype, 'bind');
  try {
    const ends = (['off', 'on'] as const).map((compiler) => {
      const bench = createBench({ ramBytes: 0x8_0000, compileThreshold: queuedThreshold, ...options, compiler });
      const { base } = bench.load(manyPages(rounds));
      bench.cpu.startHart(0, base, 'M');
      const exit = bench.cpu.run(20_000_000);
      return { exit, steps: bench.cpu.steps, sum: bench.x('a0') };
    });
    assert.equal(ends[1]?.exit.kind, 'idle');
    assert.deepEqual(ends[1], ends[0]);
    const compiler = bind.mock.calls[0]?.this;
    assert.ok(compiler instanceof RegionCompiler);
    return compiler.statistics;
  } finally {
    bind.mock.restore();
  }
}

test('pages that become hot together share a module', () => {
  const { compilations, drops, codeBytes } = compiled(2, {});
  assert.ok(compilations >= pages, `${compilations} regions of ${pages} pages`);
  assert.equal(drops, 0);
  // Alone, each would cost at least a module.
  assert.ok(codeBytes < (compilations * moduleBytes) / 2, `${codeBytes} bytes for ${compilations} regions`);
});

test('compiled at once, each page has a module of its own', () => {
  const { compilations, codeBytes } = compiled(1, { compileThreshold: 20 });
  assert.ok(compilations >= pages && codeBytes > compilations * moduleBytes, `${codeBytes} for ${compilations}`);
});

test('batches that fill the code memory push out the coldest pages, which are compiled again when they are hot', () => {
  const compiledCodeBytes = 4 * moduleBytes;
  const { compilations, drops, codeBytes } = compiled(4, { compiledCodeBytes });
  assert.ok(drops > 0 && drops < compilations, `${drops} drops of ${compilations} regions`);
  assert.ok(codeBytes > 0 && codeBytes <= compiledCodeBytes, `${codeBytes} bytes are kept`);
  assert.ok(compilations > pages, `${compilations} regions of ${pages} pages: none came back`);
});
