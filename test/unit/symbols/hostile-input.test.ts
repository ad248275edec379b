// Damaged images: nothing throws but SymbolError, nothing hangs, and what could not be read is named.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  loadSymbols,
  SymbolError,
  type ReadMemory,
  type RegisterFile,
  type Symbols,
} from '../../../extension/symbols/index';
import { buildGuest, runTool, type Guest } from './guest-build';

const seed = 20240607;

/** Numbers below `below`, the same ones in every run. */
function generator(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Asks for everything that there is at some addresses. Any exception fails the test. */
function exercise(image: Uint8Array, addresses: readonly bigint[]): Symbols | undefined {
  let symbols: Symbols;
  try {
    symbols = loadSymbols(image);
  } catch (error) {
    assert.ok(error instanceof SymbolError, String(error));
    return undefined;
  }
  const readMemory: ReadMemory = (address, length) =>
    length > 4096 ? undefined : (symbols.bytesAt(address, length) ?? new Uint8Array(length));
  for (const pc of addresses) {
    symbols.symbolAt(pc);
    symbols.lineAt(pc);
    symbols.rangesOfLine(pc, { overInlined: true });
    symbols.functionBodyStart(pc);
    symbols.languageAt(pc);
    const registers: RegisterFile = {
      pc,
      x: (index) => (index === 1 ? addresses[0] : 0x8000_2000n + BigInt(index) * 64n),
    };
    for (const frame of symbols.backtrace(registers, readMemory, 8).frames) {
      for (const scope of symbols.scopesAt(frame)) {
        for (const variable of scope.variables.slice(0, 20)) {
          const value = symbols.readVariable(variable, frame, readMemory);
          assert.equal(typeof value.text, 'string');
          for (const child of value.children(0, 8))
            assert.equal(typeof child.text + typeof child.typeName, 'stringstring');
        }
      }
      symbols.evaluate('queue->table[1].length + sizeof(struct queue)', frame, readMemory);
      symbols.assign('queue->kind', '2', frame, readMemory);
    }
  }
  for (const file of symbols.files().slice(0, 50))
    for (const line of symbols.linesIn(file).slice(0, 20)) symbols.addressesOf(file, line);
  symbols.addressesOf('ring.c', 1);
  symbols.functionAddresses('readl');
  return symbols;
}

interface Extent {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

function debugSections(guest: Guest): Extent[] {
  const text = runTool('readelf', ['-SW', guest.path]);
  const rows = [...text.matchAll(/\] (\.\S+)\s+\S+\s+[0-9a-f]{16} ([0-9a-f]+) ([0-9a-f]+)/g)];
  return rows
    .map(([, name = '', offset = '', size = '']) => ({ name, offset: parseInt(offset, 16), size: parseInt(size, 16) }))
    .filter(({ name, size }) => size > 0 && /debug|frame|symtab|strtab/.test(name));
}

const variants = [
  ['-O2', '-gdwarf-5'],
  ['-O2', '-gdwarf-4', '-fdebug-types-section'],
  ['-O1', '-g', '-gz=zlib'],
];

function someAddresses(guest: Guest): bigint[] {
  const symbols = loadSymbols(guest.image);
  const names = ['main', 'configure', 'checksum', 'deep'];
  return names.flatMap((name) => {
    const address = symbols.addressOf(name);
    return address === undefined ? [] : [address, address + 0x14n, address + 0x2an];
  });
}

describe('damaged images', () => {
  for (const options of variants) {
    it(`with changed bytes in their debugging sections, ${options.join(' ')}, seed ${seed}`, () => {
      const guest = buildGuest(['start.c', 'ring.c'], options);
      const addresses = someAddresses(guest);
      const random = generator(seed);
      const sections = debugSections(guest);
      assert.ok(sections.length >= 6);
      let noticed = 0;
      for (let round = 0; round < 150; round++) {
        const image = Uint8Array.from(guest.image);
        const section = sections[round % sections.length];
        for (let i = random(8); section !== undefined && i >= 0; i--) {
          const at = section.offset + random(section.size);
          image[at] = [random(256), 0, 0xff, 0x80, (image[at] ?? 0) ^ (1 << random(8))][random(5)] ?? 0;
        }
        if ((exercise(image, addresses.slice(0, 6))?.problems.length ?? 0) > 0) noticed++;
      }
      assert.ok(noticed > 10, `${noticed} of 150 damages were noticed`);
    });

    it(`cut off anywhere, ${options.join(' ')}`, () => {
      const guest = buildGuest(['start.c', 'ring.c'], options);
      const addresses = someAddresses(guest).slice(0, 4);
      for (let length = 0; length < guest.image.length; length += 397)
        exercise(guest.image.slice(0, length), addresses);
    });
  }

  it(`with changed headers, seed ${seed}`, () => {
    const guest = buildGuest(['start.c', 'ring.c'], ['-O2', '-gdwarf-5']);
    const addresses = someAddresses(guest).slice(0, 4);
    const random = generator(seed);
    const table = Number(new DataView(guest.image.buffer).getBigUint64(40, true));
    for (let round = 0; round < 300; round++) {
      const image = Uint8Array.from(guest.image);
      const inTable = round % 2 === 0;
      for (let i = random(4); i >= 0; i--)
        image[inTable ? table + random(image.length - table) : 16 + random(200)] = random(256);
      exercise(image, addresses);
    }
  });

  it('with sections that are shorter than what refers into them', () => {
    const guest = buildGuest(['start.c', 'ring.c'], ['-O2', '-gdwarf-5']);
    const addresses = someAddresses(guest);
    for (const { name } of debugSections(guest)) {
      if (!name.startsWith('.debug')) continue;
      const cut = `${guest.path}.without`;
      runTool('objcopy', ['-R', name, guest.path, cut]);
      exercise(new Uint8Array(readFileSync(cut)), addresses);
    }
  });

  it('say which part is lost, and keep the rest', () => {
    const guest = buildGuest(['start.S', 'ring.c'], ['-O2', '-gdwarf-5']);
    const line = debugSections(guest).find(({ name }) => name === '.debug_line');
    assert.ok(line);
    const image = Uint8Array.from(guest.image);
    // The version of the second unit's line table: it follows the length of the first.
    const first = new DataView(image.buffer).getUint32(line.offset, true) + 4;
    image[line.offset + first + 4] = 99;
    const symbols = loadSymbols(image);
    const start = symbols.addressOf('_start') ?? 0n;
    const main = symbols.addressOf('main') ?? 0n;
    assert.notEqual(symbols.lineAt(start), undefined);
    assert.equal(symbols.lineAt(main), undefined);
    assert.equal(symbols.framesAt(main)[0]?.function, 'main');
    assert.match(
      symbols.problems.join('\n'),
      /\.debug_line of the unit at 0x[0-9a-f]+: version 2 to 5 expected, found 99; its lines are not available/,
    );
  });
});
