// Call frame information against readelf, row by row.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Problems } from '../../../extension/symbols/problems';
import { Dwarf } from '../../../extension/symbols/dwarf/dwarf';
import { registerName } from '../../../extension/symbols/dwarf/expressions';
import { runInstructions, type FrameRow, type RegisterRule } from '../../../extension/symbols/dwarf/frame-instructions';
import { readElf } from '../../../extension/symbols/elf';
import { buildGuest, runTool, type Guest } from './guest-build';

/** One table of readelf: the columns are the registers that the function has rules for. */
interface Table {
  readonly low: number;
  readonly high: number;
  readonly rows: {
    readonly address: number;
    readonly cfa: string;
    readonly registers: Readonly<Record<string, string>>;
  }[];
}

function readelfTables(guest: Guest): Table[] {
  const tables: Table[] = [];
  let columns: string[] = [];
  let current: Table | undefined;
  for (const line of runTool('readelf', ['--debug-dump=frames-interp', guest.path]).split('\n')) {
    const start = / FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(line);
    if (start !== null) {
      current = { low: parseInt(start[1] ?? '', 16), high: parseInt(start[2] ?? '', 16), rows: [] };
      tables.push(current);
    } else if (/ CIE /.test(line)) current = undefined;
    else if (/^\s+LOC\s+CFA/.test(line)) columns = line.trim().split(/\s+/).slice(2);
    else if (/^[0-9a-f]{16} /.test(line) && current !== undefined) {
      const [address = '', cfa = '', ...values] = line.trim().split(/\s+/);
      const registers = Object.fromEntries(columns.map((column, i) => [column, values[i] ?? 'u']));
      current.rows.push({ address: parseInt(address, 16), cfa, registers });
    }
  }
  return tables;
}

function ruleText(rule: RegisterRule | undefined): string {
  switch (rule?.kind) {
    case 'offset':
      return `c${rule.offset < 0 ? '' : '+'}${rule.offset}`;
    case 'same':
      return 's';
    case 'expression':
      return 'exp';
    case undefined:
    case 'undefined':
      return 'u';
    default:
      return rule?.kind ?? 'u';
  }
}

function cfaText({ cfa }: FrameRow): string {
  return cfa.kind === 'expression' ? 'exp' : `${registerName(cfa.register)}${cfa.offset < 0 ? '' : '+'}${cfa.offset}`;
}

describe('call frame information agrees with readelf', () => {
  const variants = [
    ['-O0', '-g'],
    ['-O2', '-g'],
    ['-Os', '-g', '-msave-restore'],
    ['-O2', '-gdwarf-4', '-fasynchronous-unwind-tables'],
    ['-O1', '-fno-omit-frame-pointer', '-funwind-tables', '-g0'],
    ['-O1', '-g', '-gz=zlib'],
  ];
  for (const options of variants) {
    it(options.join(' '), () => {
      const guest = buildGuest(['start.S', 'ring.c'], options);
      const problems = new Problems();
      const descriptions = new Dwarf(readElf(guest.image, 'guest', problems), problems).frames.all();
      const tables = readelfTables(guest);
      assert.ok(tables.length >= 4, 'readelf found tables');
      assert.equal(descriptions.length, tables.length);
      for (const table of tables) {
        const description = descriptions.find(({ low, high }) => low === table.low && high === table.high);
        assert.ok(description, `a description of 0x${table.low.toString(16)}`);
        const rows = [...runInstructions(description)].length;
        let index = 0;
        for (const row of runInstructions(description)) {
          const wanted = table.rows[index++];
          // readelf prints no table for functions that have no rules of their own.
          if (wanted === undefined && rows === 1) continue;
          assert.ok(wanted, `row ${index} of 0x${table.low.toString(16)}`);
          const found = Object.fromEntries(
            Object.keys(wanted.registers).map((name) => [
              name,
              ruleText([...row.registers].find(([register]) => registerName(register) === name)?.[1]),
            ]),
          );
          assert.deepEqual({ address: row.address, cfa: cfaText(row), registers: found }, wanted);
        }
        assert.ok(index >= table.rows.length);
      }
      assert.deepEqual(
        problems.list.filter((problem) => problem.includes('frame')),
        [],
      );
    });
  }
});
