// Breakpoint addresses, function bodies and stepping ranges.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { loadSymbols, type Symbols } from '../../../extension/symbols/index';
import { buildGuest, instructionAddresses, type Guest } from './guest-build';

const files = ['start.c', 'ring.c'];
const plain = () => buildGuest(files, ['-O0', '-gdwarf-5']);
const optimised = () => buildGuest(files, ['-O2', '-gdwarf-5']);

function places(symbols: Symbols, file: string, line: number): string[] {
  return symbols.addressesOf(file, line).map((found) => {
    const functions = symbols.framesAt(found.address).map((frame) => frame.function);
    return `${basename(found.file)}:${found.line} in ${functions.join(' < ')}`;
  });
}

/** Line of the sources of the test guests that holds a text. */
function lineOf(symbols: Symbols, name: string, text: string): number {
  const [path] = symbols.matchFile(name);
  assert.ok(path, `${name} is in the line table`);
  const line = execFileSync('grep', ['-n', '-m', '1', '-F', text, path], { encoding: 'utf8' });
  return Number(line.split(':')[0]);
}

describe('breakpoints on lines', () => {
  it('finds one address for a statement, behind the prologue for the line of a function', () => {
    const symbols = loadSymbols(plain().image);
    const sum = lineOf(symbols, 'ring.c', 'int sum = seed;');
    assert.deepEqual(places(symbols, 'ring.c', sum), [`ring.c:${sum} in checksum`]);
    assert.deepEqual(symbols.addressesOf('ring.c', sum - 1), symbols.addressesOf('ring.c', sum));
  });

  it('stops once where a loop begins, not at each of its parts', () => {
    const symbols = loadSymbols(plain().image);
    const loop = lineOf(symbols, 'ring.c', 'for (u32 index');
    assert.deepEqual(places(symbols, 'ring.c', loop), [`ring.c:${loop} in checksum`]);
  });

  it('finds every copy of an inlined line', () => {
    for (const guest of [plain(), optimised()]) {
      const symbols = loadSymbols(guest.image);
      const line = lineOf(symbols, 'inline.h', 'u32 before = readl(address);');
      const found = places(symbols, 'inline.h', line);
      assert.equal(found.length, 3);
      for (const place of found) assert.match(place, /set_bits < configure$/);
    }
  });

  it('stops before a call that was inlined into the line', () => {
    const symbols = loadSymbols(plain().image);
    const line = lineOf(symbols, 'ring.c', 'u32 before = set_bits');
    const [found, ...others] = symbols.addressesOf('ring.c', line);
    assert.ok(found);
    assert.deepEqual(others, []);
    assert.equal(symbols.functionBodyStart(symbols.addressOf('configure') ?? 0n), found.address);
  });

  it('slides to the next line with code, and finds nothing behind the last one', () => {
    const symbols = loadSymbols(plain().image);
    const counter = lineOf(symbols, 'ring.c', 'int count_hit(void)');
    assert.deepEqual(places(symbols, 'ring.c', counter - 2), places(symbols, 'ring.c', counter));
    assert.deepEqual(symbols.addressesOf('ring.c', 10_000), []);
  });

  it('finds files by the end of their path', () => {
    const symbols = loadSymbols(plain().image);
    const [path] = symbols.matchFile('ring.c');
    assert.ok(path?.endsWith('/guests/ring.c'));
    assert.deepEqual(symbols.matchFile('/home/somebody/project/guests/ring.c'), [path]);
    assert.deepEqual(symbols.matchFile('C:\\project\\guests\\ring.c'), [path]);
    assert.deepEqual(symbols.matchFile('/home/somebody/string.c'), []);
    assert.deepEqual(symbols.addressesOf('other.c', 5), []);
    assert.ok(symbols.files().includes(path ?? ''));
  });

  it('every line that is said to have code can be stopped at', () => {
    for (const guest of [plain(), optimised(), buildGuest(files, ['-O3', '-gdwarf-4'])]) {
      const symbols = loadSymbols(guest.image);
      const instructions = new Set(instructionAddresses(guest));
      for (const file of symbols.files()) {
        for (const line of symbols.linesIn(file)) {
          const found = symbols.addressesOf(file, line);
          assert.notEqual(found.length, 0, `${file}:${line}`);
          for (const { address } of found)
            assert.ok(instructions.has(address), `0x${address.toString(16)} is an instruction`);
        }
      }
    }
  });
});

/** Where gdb puts a breakpoint on a function. */
function gdbBreakpoint(guest: Guest, name: string): bigint {
  const text = execFileSync('gdb-multiarch', ['-nx', '-batch', '-ex', `break ${name}`, guest.path], {
    encoding: 'utf8',
  });
  const address = /at (0x[0-9a-f]+)/.exec(text)?.[1];
  assert.ok(address, `gdb-multiarch breaks on ${name}: ${text}`);
  return BigInt(address);
}

describe('function bodies', () => {
  it('begin where gdb says in code that was not optimised', () => {
    const guest = plain();
    const symbols = loadSymbols(guest.image);
    for (const name of ['count_hit', 'checksum', 'deep', 'configure', 'main']) {
      const low = symbols.addressOf(name) ?? 0n;
      assert.equal(symbols.functionBodyStart(low), gdbBreakpoint(guest, name), name);
    }
  });

  it('begin at the function itself where there is no prologue, or nothing is known', () => {
    const symbols = loadSymbols(optimised().image);
    const counter = symbols.addressOf('count_hit') ?? 0n;
    assert.equal(symbols.functionBodyStart(counter), counter);
    const start = symbols.addressOf('_start') ?? 0n;
    assert.equal(symbols.functionBodyStart(start), start);
    assert.equal(symbols.functionBodyStart(0x1234n), 0x1234n);
  });
});

describe('breakpoints on functions', () => {
  it('are set behind prologues and in every inlined copy', () => {
    for (const guest of [plain(), optimised()]) {
      const symbols = loadSymbols(guest.image);
      const copies = symbols.functionAddresses('set_bits');
      assert.equal(copies.length, 3);
      for (const { address, inlined } of copies) {
        assert.equal(inlined, true);
        assert.ok(symbols.framesAt(address).some((frame) => frame.function === 'set_bits'));
      }
      const main = symbols.addressOf('main') ?? 0n;
      assert.deepEqual(symbols.functionAddresses('main'), [
        { address: symbols.functionBodyStart(main), inlined: false },
      ]);
    }
  });

  it('are set on symbols that have no debugging information, and on nothing else', () => {
    const symbols = loadSymbols(plain().image);
    assert.deepEqual(symbols.functionAddresses('_start'), [{ address: symbols.addressOf('_start'), inlined: false }]);
    assert.deepEqual(symbols.functionAddresses('main_queue'), []);
    assert.deepEqual(symbols.functionAddresses('no_such_function'), []);
  });
});

describe('stepping ranges', () => {
  it('contain the pc and only code of the same line and function instance', () => {
    for (const guest of [plain(), optimised()]) {
      const symbols = loadSymbols(guest.image);
      for (const pc of instructionAddresses(guest)) {
        const frames = symbols.framesAt(pc);
        const [here] = frames;
        if (here?.line === undefined) continue;
        const ranges = symbols.rangesOfLine(pc);
        assert.ok(
          ranges.some(({ low, high }) => low <= pc && pc < high),
          `0x${pc.toString(16)} is in its own range`,
        );
        for (const { low, high } of ranges) {
          for (let at = low; at < high; at += 2n) {
            const there = symbols.framesAt(at);
            assert.equal(there.length, frames.length);
            assert.deepEqual(
              [there[0]?.function, there[0]?.file, there[0]?.line],
              [here.function, here.file, here.line],
            );
          }
        }
      }
    }
  });

  it('of a caller cover what was inlined into its line', () => {
    const symbols = loadSymbols(optimised().image);
    const { low, high } = symbols.framesAt(symbols.addressOf('configure') ?? 0n).at(-1) ?? { low: 0n, high: 0n };
    let seen = 0;
    for (let pc = low; pc < high; pc += 2n) {
      const frames = symbols.framesAt(pc);
      if (frames.length < 2) continue;
      const outer = frames.length - 1;
      const ranges = symbols.rangesOfLine(pc, { inlineDepth: outer });
      assert.ok(ranges.some((range) => range.low <= pc && pc < range.high));
      for (const range of ranges) {
        for (let at = range.low; at < range.high; at += 2n)
          assert.equal(symbols.framesAt(at).at(-1)?.line, frames[outer]?.line);
      }
      seen++;
    }
    assert.ok(seen > 5);
  });
});
