// Call stacks and the values of locals against gdb, at every instruction of a run in QEMU.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { loadSymbols, type StackFrame, type Symbols } from '../../../extension/symbols/index';
import { traceGuest, type GdbFrame, type Stop } from './gdb-trace';
import { buildGuest, runTool, type Guest } from './guest-build';

const steps = 1200;

const traces = new Map<Guest, Stop[]>();

function trace(guest: Guest, symbols: Symbols): Stop[] {
  const known = traces.get(guest);
  if (known !== undefined) return known;
  const data = symbols.segments.find((segment) => segment.writable);
  assert.ok(data);
  const stops = traceGuest(guest, steps, { low: data.address, high: data.address + data.memorySize });
  traces.set(guest, stops);
  return stops;
}

function describeFrame(frame: StackFrame): string {
  return `${frame.function ?? '??'} at 0x${frame.pc.toString(16)}${frame.inlined ? ' inlined' : ''}`;
}

/** Several symbols may share an address; gdb and we need not choose the same. */
function describeGdbFrame(frame: GdbFrame, symbols: Symbols): string {
  const pc = BigInt.asUintN(64, BigInt(frame.pc));
  const chosen = symbols.symbolAt(pc);
  const isAlias =
    frame.file === null && chosen !== undefined && symbols.addressOf(frame.function ?? '') === chosen.symbol.address;
  const name = isAlias ? chosen.name : (frame.function ?? '??');
  return `${name} at 0x${pc.toString(16)}${frame.inlined ? ' inlined' : ''}`;
}

/** Compares every value that gdb has; returns how many there were. */
function compareVariables(symbols: Symbols, stop: Stop, frame: StackFrame, expected: GdbFrame): number {
  let compared = 0;
  const variables = symbols
    .scopesAt(frame)
    .filter((scope) => scope.kind !== 'globals')
    .flatMap((scope) => scope.variables);
  for (const [name, wanted] of Object.entries(expected.variables)) {
    const where = `${name} in ${describeFrame(frame)}, stopped at 0x${stop.registers.pc.toString(16)}`;
    const variable = variables.find((candidate) => candidate.name === name);
    assert.ok(variable, `there is a variable ${where}`);
    const value = symbols.readVariable(variable, frame, stop.readMemory);
    if (wanted === null) continue;
    if (wanted === 'optimised out')
      assert.notEqual(value.unavailable, undefined, `no value of ${where}, found ${value.text}`);
    // gdb also looks through functions that jumped to this one.
    else if (value.unavailable?.endsWith('the caller called another function') === true) continue;
    else assert.equal(value.integer === undefined ? value.text : String(value.integer), wanted, where);
    compared++;
  }
  return compared;
}

describe('call stacks and locals agree with gdb', () => {
  const variants = [
    ['-O0', '-gdwarf-5'],
    ['-O1', '-gdwarf-4'],
    ['-O2', '-gdwarf-5'],
    ['-Os', '-gdwarf-5', '-msave-restore'],
  ];
  for (const options of variants) {
    it(options.join(' '), () => {
      const guest = buildGuest(['start.c', 'ring.c'], options);
      const symbols = loadSymbols(guest.image);
      let compared = 0;
      for (const stop of trace(guest, symbols)) {
        const { frames } = symbols.backtrace(stop.registers, stop.readMemory);
        // gcc forgets a stack adjustment before it jumps to restoring millicode; gdb then follows garbage out of all code.
        const lost = stop.frames.findIndex((frame) => !symbols.isCode(BigInt.asUintN(64, BigInt(frame.pc))));
        const known = lost < 0 ? stop.frames : stop.frames.slice(0, lost);
        assert.deepEqual(
          frames.map(describeFrame),
          known.map((frame) => describeGdbFrame(frame, symbols)),
          `stopped at 0x${stop.registers.pc.toString(16)}`,
        );
        frames.forEach((frame, i) => {
          const expected = stop.frames[i];
          if (expected !== undefined) compared += compareVariables(symbols, stop, frame, expected);
        });
      }
      assert.ok(compared > 100, `${compared} values compared`);
      assert.deepEqual(symbols.problems, []);
    });
  }
});

describe('call stacks without call frame information', () => {
  const variants = [
    ['-O0', '-gdwarf-5'],
    ['-O2', '-gdwarf-5'],
    ['-O1', '-g', '-fno-omit-frame-pointer'],
  ];
  for (const options of variants) {
    it(`${options.join(' ')}, sections removed`, () => {
      const guest = buildGuest(['start.c', 'ring.c'], options);
      const symbols = loadSymbols(guest.image);
      const stops = trace(guest, symbols);
      const bare = `${guest.path}.bare`;
      runTool('objcopy', ['-R', '.debug_frame', '-R', '.eh_frame', guest.path, bare]);
      const blind = loadSymbols(new Uint8Array(readFileSync(bare)));
      for (const stop of stops) {
        const expected = symbols.backtrace(stop.registers, stop.readMemory).frames.map(describeFrame);
        const found = blind.backtrace(stop.registers, stop.readMemory);
        assert.deepEqual(found.frames.map(describeFrame), expected, found.end);
      }
    });
  }

  it('names frames of a stripped guest by address only', () => {
    const guest = buildGuest(['start.c', 'ring.c'], ['-O1', '-g', '-fno-omit-frame-pointer']);
    const symbols = loadSymbols(guest.image);
    const stops = trace(guest, symbols).filter((stop) => stop.frames.length > 3);
    const stripped = `${guest.path}.stripped`;
    runTool('strip', ['-o', stripped, '-R', '.debug_frame', '-R', '.eh_frame', guest.path]);
    const blind = loadSymbols(new Uint8Array(readFileSync(stripped)));
    const stop = stops[stops.length >> 1];
    assert.ok(stop);
    const found = blind.backtrace(stop.registers, stop.readMemory);
    assert.equal(found.frames[0]?.function, undefined);
    assert.match(found.end, /call frame information|return address/);
  });
});
