// The greatest machine: eight harts started through the builtin SBI, each interrupted by the first through IPI and by its own stimecmp.
// [RISC-V SBI 2.0, 7 and 9; RISC-V priv. 12, Sstc]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine } from '../../../emulator/machine';
import { assemble, type Line } from '../../assembler';

const harts = 8;
const entry = 0x8020_0000;
const data = 0x8030_0000;
const extension = { HSM: 0x48_534d, IPI: 0x73_5049, SRST: 0x5352_5354 } as const;
const call = (id: number, number: number): Line[] => [['li', 'a7', id], ['li', 'a6', number], ['ecall']];
/** Waits until a word of memory at a distance from `data` holds a number. */
const waitFor = (label: string, distance: number, value: number): Line[] => [
  ['li', 't2', value],
  `${label}:`,
  ['ld', 't1', distance, 's0'],
  ['bne', 't1', 't2', label],
];

const program = assemble(
  [
    ['li', 's0', data],
    ['li', 's1', 1],
    'start:',
    ['mv', 'a0', 's1'],
    ['la', 'a1', 'other'],
    ['li', 'a2', 0],
    ...call(extension.HSM, 0),
    ['addi', 's1', 's1', 1],
    ['li', 't0', harts],
    ['bne', 's1', 't0', 'start'],
    ...waitFor('started', 0, harts - 1),
    // Everybody but the first.
    ['li', 'a0', 0xfe],
    ['li', 'a1', 0],
    ...call(extension.IPI, 0),
    ...waitFor('interrupted', 8, harts - 1),
    ...waitFor('timed', 16, harts - 1),
    ['li', 'a0', 0],
    ['li', 'a1', 0],
    ...call(extension.SRST, 0),
    'other:',
    ['li', 's0', data],
    ['la', 't0', 'trap'],
    ['csrw', 'stvec', 't0'],
    ['li', 't0', 0x22],
    ['csrw', 'sie', 't0'],
    ['li', 't0', 1],
    ['amoadd.d', 'zero', 't0', 's0'],
    ['csrrsi', 'zero', 'sstatus', 2],
    'wait:',
    ['wfi'],
    ['j', 'wait'],
    ['.align', 4],
    'trap:',
    ['csrr', 't0', 'scause'],
    ['andi', 't0', 't0', 15],
    ['li', 't1', 5],
    ['beq', 't0', 't1', 'timer'],
    ['csrrci', 'zero', 'sip', 2],
    ['csrr', 't0', 'time'],
    ['addi', 't0', 't0', 100],
    ['csrw', 'stimecmp', 't0'],
    ['addi', 't0', 's0', 8],
    ['j', 'count'],
    'timer:',
    ['li', 't0', -1],
    ['csrw', 'stimecmp', 't0'],
    ['addi', 't0', 's0', 16],
    'count:',
    ['li', 't1', 1],
    ['amoadd.d', 'zero', 't1', 't0'],
    ['.word', 0x1020_0073],
  ],
  entry,
);

test('eight harts start, hear of the first, and have a timer each', () => {
  const machine = new Machine({
    memoryBytes: 16 << 20,
    harts,
    bios: { kind: 'builtin' },
    guest: { name: 'eight.bin', bytes: program.bytes },
    devices: [],
    seed: 1,
    wallClockAtResetNanoseconds: 0n,
  });
  const exit = machine.run({ untilStep: 2_000_000, skipIdle: true });
  assert.deepEqual(exit, { kind: 'finished', outcome: { kind: 'power-off' } });
  for (let hart = 1; hart < harts; hart++) assert.equal(machine.cpu.mode(hart), 'S');
});
