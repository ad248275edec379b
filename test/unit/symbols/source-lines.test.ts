// Lines and inlined functions against addr2line, for every instruction of guests at several levels of optimisation.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { loadSymbols } from '../../../extension/symbols/index';
import { buildGuest, instructionAddresses, runTool, type Guest } from './guest-build';

const variants = ['-O0', '-O1', '-O2', '-Os', '-O3'].flatMap((level) =>
  ['-gdwarf-4', '-gdwarf-5'].map((format) => [level, format, '-g']),
);
variants.push(['-O2', '-gdwarf-3'], ['-O0', '-gdwarf-2', '-gstrict-dwarf'], ['-O2', '-g', '-gz=zlib']);
variants.push(['-O2', '-gdwarf-4', '-fdebug-types-section'], ['-O2', '-g', '-ffunction-sections', '-Wl,--gc-sections']);

/** Frames as addr2line prints them, `function file:line`, innermost first, for each address. */
function expectedFrames(guest: Guest, addresses: readonly bigint[]): Map<bigint, string[]> {
  const frames = new Map<bigint, string[]>();
  for (let i = 0; i < addresses.length; i += 500) {
    const part = addresses.slice(i, i + 500).map((address) => `0x${address.toString(16)}`);
    const lines = runTool('addr2line', ['-a', '-i', '-f', '-e', guest.path, ...part]).split('\n');
    let current: string[] = [];
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] ?? '';
      if (/^0x[0-9a-f]{16}$/.test(line)) {
        current = [];
        frames.set(BigInt(line), current);
      } else if (line !== '') {
        const place = (lines[++at] ?? '').replace(/ \(discriminator \d+\)$/, '');
        current.push(`${line} ${basename(place)}`);
      }
    }
  }
  return frames;
}

describe('source lines agree with addr2line', () => {
  for (const options of variants) {
    it(options.join(' '), () => {
      const guest = buildGuest(['start.c', 'ring.c'], options);
      const addresses = instructionAddresses(guest);
      assert.ok(addresses.length > 50);
      const expected = expectedFrames(guest, addresses);
      const symbols = loadSymbols(guest.image, { name: basename(guest.path) });
      for (const address of addresses) {
        const found = symbols
          .framesAt(address)
          .map((frame) => `${frame.function} ${basename(frame.file ?? '??')}:${frame.line ?? '?'}`);
        if (found.length === 0) found.push(`${symbols.symbolAt(address)?.name ?? '??'} ??:?`);
        const wanted = expected.get(address) ?? [];
        assert.deepEqual(found, wanted, `frames at 0x${address.toString(16)}`);
      }
      assert.deepEqual(symbols.problems, []);
    });
  }
});

interface DecodedRow {
  readonly address: bigint;
  readonly file: string;
  readonly line: number;
  readonly isStatement: boolean;
}

/** Sequences of rows as objdump decodes them; the last row of each is its end. */
function decodedSequences(guest: Guest): DecodedRow[][] {
  const sequences: DecodedRow[][] = [];
  let current: DecodedRow[] = [];
  for (const text of runTool('objdump', ['--dwarf=decodedline', guest.path]).split('\n')) {
    const match = /^(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+|0)(?:\s+\d+)?(?:\s+(x))?(?:\s+END)?\s*$/.exec(text);
    if (match === null) continue;
    const [, file = '', line = '', address = '', statement] = match;
    current.push({ file, line: Number(line), address: BigInt(address), isStatement: statement === 'x' });
    if (line === '-') {
      sequences.push(current);
      current = [];
    }
  }
  return sequences;
}

describe('source lines agree with objdump', () => {
  for (const options of [...variants, ['-O2', '-gdwarf-5', '-gdwarf64'], ['-O1', '-gdwarf-4', '-gdwarf64']]) {
    it(options.join(' '), () => {
      const guest = buildGuest(['start.S', 'ring.c'], options);
      const sequences = decodedSequences(guest).filter((rows) => (rows[0]?.address ?? 0n) !== 0n);
      assert.ok(sequences.length > 0);
      const symbols = loadSymbols(guest.image);
      let compared = 0;
      for (const address of instructionAddresses(guest)) {
        const covering = sequences
          .filter((rows) => (rows[0]?.address ?? 0n) <= address && address < (rows[rows.length - 1]?.address ?? 0n))
          .map((rows) => rows.filter((row) => row.address <= address).pop());
        const expected = covering[covering.length - 1];
        const found = symbols.lineAt(address);
        const place = found && { file: basename(found.file), line: found.line, isStatement: found.isStatement };
        assert.deepEqual(
          place,
          expected && { file: expected.file, line: expected.line, isStatement: expected.isStatement },
          `row at 0x${address.toString(16)}`,
        );
        if (expected !== undefined) compared++;
      }
      assert.ok(compared > 50);
    });
  }
});
