// ELF images: refusals, symbols, segments, compressed sections.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { MalformedInput } from '../../../extension/symbols/bytes';
import { inflateZlib } from '../../../extension/symbols/inflate';
import { loadSymbols, SymbolError } from '../../../extension/symbols/index';
import { buildGuest, runTool } from './guest-build';

const guest = () => buildGuest(['start.c', 'ring.c'], ['-O2', '-gdwarf-5']);

function changed(offset: number, ...bytes: number[]): Uint8Array {
  const image = Uint8Array.from(guest().image);
  image.set(bytes, offset);
  return image;
}

describe('images that cannot be debugged', () => {
  const cases: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    [
      'an empty file',
      () => new Uint8Array(0),
      /k\.elf: expected a 64-bit little-endian RISC-V ELF file, found an empty file/,
    ],
    ['a raw image', () => Uint8Array.of(0x13, 0, 0, 0, 1), /found a file that begins with 13 00 00 00/],
    ['a 32-bit file', () => changed(4, 1), /found a 32-bit one\. Build the guest for rv64/],
    ['a big-endian file', () => changed(5, 2), /found a big-endian one/],
    ['another machine', () => changed(18, 62, 0), /found machine x86-64 \(62\)/],
    ['an unknown machine', () => changed(18, 0xff, 0xff), /found machine number \(65535\)/],
    [
      'a file cut in its header',
      () => guest().image.subarray(0, 40),
      /found a file of 40 bytes that ends inside its header/,
    ],
  ];
  for (const [name, image, message] of cases) {
    it(name, () => {
      assert.throws(
        () => loadSymbols(image(), { name: 'k.elf' }),
        (error: unknown) => error instanceof SymbolError && message.test(error.message),
      );
    });
  }
});

describe('symbols', () => {
  it('are those of nm', () => {
    const symbols = loadSymbols(guest().image);
    const lines = runTool('nm', ['-n', guest().path]).trim().split('\n');
    let compared = 0;
    for (const line of lines) {
      const [address = '', kind = '', name = ''] = line.split(' ');
      if (kind.toLowerCase() === 'a' || name.startsWith('$') || name.startsWith('.L')) continue;
      assert.equal(symbols.addressOf(name), BigInt(`0x${address}`), name);
      compared++;
    }
    assert.ok(compared > 10);
    assert.equal(symbols.addressOf('no such symbol'), undefined);
  });

  it('contain the addresses of their size, and nothing behind it', () => {
    const symbols = loadSymbols(guest().image);
    for (const { name, address, size, kind } of symbols.symbols()) {
      if (kind !== 'function' || size === 0n || name.startsWith('__riscv')) continue;
      assert.deepEqual(symbols.symbolAt(address)?.offset, 0n, name);
      assert.equal(symbols.symbolAt(address + size - 1n)?.name, name);
    }
    assert.equal(symbols.symbolAt(0x10n), undefined);
    assert.equal(symbols.symbolAt(0xffff_ffff_ffff_fff0n), undefined);
  });

  it('move with the load bias', () => {
    const here = loadSymbols(guest().image);
    const bias = 0x1234_0000n;
    const there = here.rebased(bias);
    const main = here.addressOf('main') ?? 0n;
    assert.equal(there.addressOf('main'), main + bias);
    assert.deepEqual(there.lineAt(main + bias), here.lineAt(main));
    assert.equal(there.lineAt(main), undefined);
    assert.equal(there.symbolAt(main + bias + 2n)?.name, 'main');
    assert.deepEqual(there.bytesAt(main + bias, 4), here.bytesAt(main, 4));
    assert.equal(there.entry, here.entry + bias);
    assert.deepEqual(
      there.addressesOf('ring.c', 60).map(({ address }) => address - bias),
      here.addressesOf('ring.c', 60).map(({ address }) => address),
    );
  });

  it('say what an image without debugging information lacks', () => {
    const stripped = `${guest().path}.plain`;
    runTool('strip', ['-o', stripped, guest().path]);
    const symbols = loadSymbols(new Uint8Array(readFileSync(stripped)));
    assert.equal(symbols.hasLines, false);
    assert.match(symbols.problems.join('\n'), /no symbol table/);
    assert.match(symbols.problems.join('\n'), /no debugging information.*build with -g/);
    assert.equal(symbols.lineAt(symbols.entry), undefined);
    assert.deepEqual(symbols.framesAt(symbols.entry), []);
    assert.ok(symbols.contains(symbols.entry) && symbols.isCode(symbols.entry));
  });
});

describe('zlib streams', () => {
  it('inflate to what was deflated, at every level and strategy', () => {
    const samples = [
      new Uint8Array(0),
      Uint8Array.of(7),
      new Uint8Array(100_000),
      Uint8Array.from({ length: 70_000 }, (_, i) => (i * i * 31) >> 7),
      guest().image,
    ];
    for (const sample of samples) {
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [0, 2, 3, 4]) {
          const packed = deflateSync(sample, { level, strategy });
          assert.deepEqual(inflateZlib(packed, sample.length), sample);
        }
      }
    }
  });

  it('are refused when they are damaged or of another size', () => {
    const sample = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7) % 251);
    const packed = new Uint8Array(deflateSync(sample));
    for (const size of [0, 2999, 3001]) assert.throws(() => inflateZlib(packed, size), MalformedInput);
    for (let length = 0; length < packed.length - 4; length += 7) {
      assert.throws(() => inflateZlib(packed.subarray(0, length), sample.length), MalformedInput);
    }
    let unnoticed = 0;
    for (let i = 0; i < packed.length; i++) {
      const bad = Uint8Array.from(packed);
      bad[i] = (bad[i] ?? 0) ^ 0x10;
      // The last bits before the check sum only fill a byte: changing one of them changes nothing.
      try {
        assert.deepEqual(inflateZlib(bad, sample.length), sample, `byte ${i}`);
        unnoticed++;
      } catch (error) {
        assert.ok(error instanceof MalformedInput, `byte ${i}: ${String(error)}`);
      }
    }
    assert.ok(unnoticed <= 1);
  });
});
