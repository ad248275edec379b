// The builtin SBI, call by call, as a kernel in S-mode sees it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBoard } from '../../../../emulator/board/board';
import { asCpu, bench, configuration, IdleCpu, memoryOf } from '../bench';

const extension = {
  BASE: 0x10n,
  TIME: 0x5449_4d45n,
  IPI: 0x73_5049n,
  RFENCE: 0x5246_4e43n,
  HSM: 0x48_534dn,
  SRST: 0x5352_5354n,
  DBCN: 0x4442_434en,
  PMU: 0x504d_55n,
  SUSP: 0x5355_5350n,
} as const;
const everyHart = 2n ** 64n - 1n;

function make(harts = 4) {
  const b = bench(harts);
  const cpu = new IdleCpu(harts, 8 << 20);
  const board = createBoard(b.context, configuration({ harts, memoryBytes: 8 << 20 }), asCpu(cpu), memoryOf(cpu));
  board.reset();
  const marker = 0x1234n;
  /** Result as [a0, a1], a0 signed; a1 keeps the marker where the call leaves it alone. */
  const call = (id: bigint, number: bigint, parameters: readonly bigint[] = [], hart = 0): [bigint, bigint] => {
    cpu.writeX(hart, 11, marker);
    parameters.forEach((value, index) => cpu.writeX(hart, 10 + index, BigInt.asUintN(64, value)));
    cpu.writeX(hart, 16, number);
    cpu.writeX(hart, 17, id);
    assert.equal(board.environmentCall(hart), true);
    return [BigInt.asIntN(64, cpu.readX(hart, 10)), cpu.readX(hart, 11)];
  };
  return { b, cpu, board, call };
}

test('the first hart starts in S-mode with everything delegated and memory open', () => {
  const { cpu, board } = make();
  assert.deepEqual(cpu.started, [{ hart: 0, pc: 0x8020_0000n, mode: 'S' }]);
  assert.deepEqual([cpu.readX(0, 10), cpu.readX(0, 11)], [0n, BigInt(board.plan.deviceTreeAddress)]);
  assert.equal(cpu.peekCsr(0, 0x303), 0x222n);
  const delegated = cpu.peekCsr(0, 0x302) ?? 0n;
  for (const exception of [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15])
    assert.ok((delegated >> BigInt(exception)) & 1n, `${exception}`);
  for (const exception of [9, 11]) assert.equal((delegated >> BigInt(exception)) & 1n, 0n);
  assert.equal(cpu.peekCsr(0, 0x306), 7n);
});

test('BASE tells version and what is there', () => {
  const { cpu, call } = make();
  assert.deepEqual(call(extension.BASE, 0n), [0n, 0x0200_0000n]);
  for (const [name, id] of Object.entries(extension)) {
    const expected = name === 'PMU' || name === 'SUSP' ? 0n : 1n;
    assert.deepEqual(call(extension.BASE, 3n, [id]), [0n, expected], name);
  }
  for (let id = 0n; id <= 8n; id++) assert.deepEqual(call(extension.BASE, 3n, [id]), [0n, 1n]);
  cpu.pokeCsr(0, 0xf12, 42n);
  assert.deepEqual(call(extension.BASE, 5n), [0n, 42n]);
});

test('what is not there answers not supported', () => {
  const { call } = make();
  for (const id of [extension.PMU, extension.SUSP, 0x999n, everyHart, 1n << 32n]) {
    assert.deepEqual(call(id, 0n), [-2n, 0n], id.toString(16));
  }
  assert.deepEqual(call(extension.BASE, 7n), [-2n, 0n]);
  assert.deepEqual(call(extension.RFENCE, 3n), [-2n, 0n], 'no hypervisor fences');
});

test('TIME raises STIP when the time has come and clears it when set anew', () => {
  const { b, call } = make();
  assert.deepEqual(call(extension.TIME, 0n, [100n], 1), [0n, 0n]);
  assert.equal(b.wire(1, 'STIP'), false);
  b.pass(10_000);
  assert.equal(b.wire(1, 'STIP'), true);
  assert.equal(b.wire(0, 'STIP'), false);
  call(0n, 0n, [everyHart], 1);
  assert.equal(b.wire(1, 'STIP'), false);
  call(0n, 0n, [0n], 1);
  assert.equal(b.wire(1, 'STIP'), true, 'the legacy call, a time in the past');
});

test('IPI reaches the running harts of its mask', () => {
  const { b, call } = make();
  call(extension.HSM, 0n, [2n, 0x8030_0000n, 7n]);
  assert.deepEqual(call(extension.IPI, 0n, [0b11n, 1n]), [0n, 0n]);
  assert.deepEqual(
    [0, 1, 2, 3].map((hart) => b.wire(hart, 'SSIP')),
    [false, false, true, false],
    'hart 1 is stopped',
  );
  assert.deepEqual(call(extension.IPI, 0n, [0n, everyHart]), [0n, 0n]);
  assert.equal(b.wire(0, 'SSIP'), true);
  assert.deepEqual(call(extension.IPI, 0n, [1n, 4n]), [-3n, 0n], 'there is no hart 4');
  assert.deepEqual(call(extension.IPI, 0n, [0b1_0000n, 0n]), [-3n, 0n]);
  assert.deepEqual(call(extension.IPI, 0n, [0n, 100n]), [0n, 0n], 'an empty mask names nobody');
});

test('HSM starts, reports and stops harts', () => {
  const { cpu, call } = make();
  assert.deepEqual(call(extension.HSM, 2n, [3n]), [0n, 1n]);
  assert.deepEqual(call(extension.HSM, 0n, [3n, 0x8030_0000n, 99n]), [0n, 0n]);
  assert.deepEqual(cpu.started.at(-1), { hart: 3, pc: 0x8030_0000n, mode: 'S' });
  assert.deepEqual([cpu.readX(3, 10), cpu.readX(3, 11), cpu.peekCsr(3, 0x180)], [3n, 99n, 0n]);
  assert.deepEqual(call(extension.HSM, 2n, [3n]), [0n, 0n]);
  assert.deepEqual(call(extension.HSM, 0n, [3n, 0x8030_0000n, 0n]), [-6n, 0n], 'already started');
  assert.deepEqual(call(extension.HSM, 0n, [4n, 0x8030_0000n, 0n]), [-3n, 0n]);
  for (const address of [0n, 0x8030_0001n, 0x8080_0000n, everyHart]) {
    assert.deepEqual(call(extension.HSM, 0n, [1n, address, 0n]), [-5n, 0n], address.toString(16));
  }
  call(extension.HSM, 1n, [], 3);
  assert.equal(cpu.hartState(3), 'stopped');
  assert.deepEqual(call(extension.HSM, 3n, [0n]), [0n, 0n], 'a retentive suspend ends at once');
  assert.deepEqual(call(extension.HSM, 3n, [0x8000_0000n]), [-2n, 0n]);
  assert.deepEqual(call(extension.HSM, 2n, [9n]), [-3n, 0n]);
});

test('SRST ends the machine in the way asked for', () => {
  const { b, call } = make();
  call(extension.SRST, 0n, [0n, 0n]);
  call(extension.SRST, 0n, [0n, 1n]);
  call(extension.SRST, 0n, [1n, 0n]);
  call(extension.SRST, 0n, [2n, 0n]);
  assert.deepEqual(call(extension.SRST, 0n, [3n, 0n]), [-3n, 0n]);
  assert.deepEqual(call(extension.SRST, 0n, [0n, 9n]), [-3n, 0n]);
  call(8n, 0n);
  assert.deepEqual(b.outcomes, [
    { kind: 'power-off' },
    { kind: 'fail', code: 1 },
    { kind: 'reset' },
    { kind: 'reset' },
    { kind: 'power-off' },
  ]);
});

test('consoles: DBCN by buffer and byte, legacy by character, both in and out', () => {
  const { b, cpu, board, call } = make();
  cpu.ram.set(Buffer.from('hello'), 0x1000);
  assert.deepEqual(call(extension.DBCN, 0n, [5n, 0x8000_1000n, 0n]), [0n, 5n]);
  assert.deepEqual(call(extension.DBCN, 2n, [0x21n]), [0n, 0n]);
  assert.deepEqual(call(1n, 0n, [0x0an]), [0n, 0x1234n], 'legacy calls leave a1 alone');
  assert.equal(b.sent.get('uart0'), 'hello!\n');
  assert.deepEqual(call(2n, 5n), [-1n, 0x1234n], 'no input, and any a6');
  board.input(Buffer.from('abcd'));
  assert.deepEqual(call(2n, 0n)[0], 0x61n);
  assert.deepEqual(call(extension.DBCN, 1n, [10n, 0x8000_2000n, 0n]), [0n, 3n]);
  assert.equal(Buffer.from(cpu.ram.subarray(0x2000, 0x2003)).toString(), 'bcd');
  assert.ok(cpu.noted.some(([address, length]) => address === 0x8000_2000 && length === 3));
  for (const [length, low, high] of [
    [5n, 0x1000n, 0n],
    [5n, 0x8000_0000n, 1n],
    [1n << 60n, 0x8000_0000n, 0n],
    [5n, 0x807f_fffcn, 0n],
  ] as const) {
    assert.deepEqual(call(extension.DBCN, 0n, [length, low, high]), [-3n, 0n]);
  }
});

test('remote fences drop translations of the named harts', () => {
  const { cpu, call } = make();
  const poked: number[] = [];
  const table = 0x8000_0000_0008_0000n;
  for (let hart = 0; hart < 4; hart++) cpu.pokeCsr(hart, 0x180, table);
  const poke = cpu.pokeCsr.bind(cpu);
  cpu.pokeCsr = (hart, number, value) => {
    // The processor drops translations when satp changes.
    if (number === 0x180 && value === table && cpu.peekCsr(hart, number) !== table) poked.push(hart);
    return poke(hart, number, value);
  };
  assert.deepEqual(call(extension.RFENCE, 1n, [0b101n, 1n, 0n, 0n]), [0n, 0n]);
  assert.deepEqual(call(extension.RFENCE, 2n, [0n, everyHart, 0n, 4096n, 1n]), [0n, 0n]);
  assert.deepEqual(poked, [1, 3, 0, 1, 2, 3]);
  assert.deepEqual(call(extension.RFENCE, 0n, [0b1n, 0n]), [0n, 0n]);
  assert.deepEqual(call(extension.RFENCE, 0n, [0b10n, 3n]), [-3n, 0n]);
});

test('legacy calls take their masks from memory', () => {
  const { b, cpu, call } = make();
  cpu.ram[0x3000] = 0b1;
  assert.deepEqual(call(4n, 0n, [0x8000_3000n])[0], 0n);
  assert.equal(b.wire(0, 'SSIP'), true);
  assert.deepEqual(call(3n, 0n)[0], 0n);
  assert.equal(b.wire(0, 'SSIP'), false);
  assert.deepEqual(call(4n, 0n, [0x10n])[0], -1n, 'not in RAM');
  assert.deepEqual(call(6n, 0n, [0n, 0n, 0n])[0], 0n);
});

test('any call with any arguments returns with an answer', () => {
  const { call } = make();
  const word = fc.oneof(
    fc.bigInt({ min: 0n, max: 16n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0x8000_0000n, 0x807f_ffffn, everyHart),
  );
  const id = fc.oneof(fc.constantFrom(...Object.values(extension)), word);
  fc.assert(
    fc.property(id, word, fc.array(word, { minLength: 6, maxLength: 6 }), fc.nat(3), (a7, a6, parameters, hart) => {
      const [error] = call(a7, a6, parameters, hart);
      const legacy = a7 <= 8n;
      assert.ok(legacy || (error <= 0n && error >= -9n), `${a7} ${a6} answers ${error}`);
    }),
    { numRuns: 500 },
  );
});
