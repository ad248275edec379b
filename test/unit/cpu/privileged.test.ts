// Modes, traps, delegation, interrupts and CSRs.
import assert from 'node:assert';
import { test } from 'node:test';
import type { InterruptName } from '../../../emulator/cpu/contract';
import type { Line } from '../../assembler';
import { createBench, ramBase, runProgram, type Bench } from './harness';

function csr(bench: Bench, name: string, hart = 0): bigint {
  const number = bench.cpu.csrs.find((row) => row.name === name)?.number;
  const value = number === undefined ? undefined : bench.cpu.peekCsr(hart, number);
  assert.ok(value !== undefined, `no CSR ${name}`);
  return value;
}

/** Opens memory, sets a handler that waits, and goes to `lines` in the given mode. */
function inMode(mode: 'S' | 'U', lines: readonly Line[], setup: readonly Line[] = []): Line[] {
  return [
    ['li', 't0', 0x1f],
    ['csrw', 'pmpcfg0', 't0'],
    ['li', 't0', -1],
    ['csrw', 'pmpaddr0', 't0'],
    ['la', 't0', 'machine'],
    ['csrw', 'mtvec', 't0'],
    ['la', 't0', 'supervisor'],
    ['csrw', 'stvec', 't0'],
    ...setup,
    ['li', 't0', 0x1800],
    ['csrc', 'mstatus', 't0'],
    ['li', 't0', mode === 'S' ? 0x800 : 0],
    ['csrs', 'mstatus', 't0'],
    ['la', 't0', 'lower'],
    ['csrw', 'mepc', 't0'],
    ['mret'],
    'lower:',
    ...lines,
    ['.align', 4],
    'machine:',
    ['li', 's10', 1],
    ['wfi'],
    ['j', 'machine'],
    ['.align', 4],
    'supervisor:',
    ['li', 's11', 1],
    ['wfi'],
    ['j', 'supervisor'],
  ];
}

test('exceptions record cause, tval and pc, and where they came from', () => {
  const cases: readonly [string, Line, bigint, bigint][] = [
    ['illegal instruction', ['.word', 0xffff_ffff], 2n, 0xffff_ffffn],
    ['illegal compressed instruction', ['.half', 0], 2n, 0n],
    ['breakpoint', ['ebreak'], 3n, 0n],
    ['call from U', ['ecall'], 8n, 0n],
    ['load access fault', ['ld', 'a0', 0, 'zero'], 5n, 0n],
    ['store access fault', ['sd', 'a0', 16, 'zero'], 7n, 16n],
    ['misaligned atomic', ['amoadd.w', 'a0', 'a0', 's1'], 6n, BigInt(ramBase + 0x3002)],
    ['misaligned load-reserved', ['lr.w', 'a0', 's1'], 4n, BigInt(ramBase + 0x3002)],
    ['misaligned store-conditional', ['sc.w', 'a0', 'a0', 's1'], 6n, BigInt(ramBase + 0x3002)],
    ['atomic outside RAM', ['amoadd.w', 'a0', 'a0', 'zero'], 7n, 0n],
    ['CSR of a higher mode', ['csrr', 'a0', 'mstatus'], 2n, 0x3000_2573n],
    ['unknown CSR', ['csrr', 'a0', 0x5c0], 2n, 0x5c00_2573n],
    ['mret in U', ['mret'], 2n, 0x3020_0073n],
    ['sret in U', ['sret'], 2n, 0x1020_0073n],
    ['wfi in U', ['wfi'], 2n, 0x1050_0073n],
    ['sfence.vma in U', ['sfence.vma', 'zero', 'zero'], 2n, 0x1200_0073n],
  ];
  for (const [what, line, cause, tval] of cases) {
    const bench = createBench();
    const program = runProgram(bench, inMode('U', ['at:', line], [['li', 's1', ramBase + 0x3002]]));
    const pc = program.labels['at'] ?? 0n;
    assert.equal(csr(bench, 'mcause'), cause, what);
    assert.equal(csr(bench, 'mtval'), tval, what);
    assert.equal(csr(bench, 'mepc'), pc, what);
    assert.equal((csr(bench, 'mstatus') >> 11n) & 3n, 0n, what);
    assert.equal(bench.cpu.mode(0), 'M', what);
  }
});

test('a delegated exception goes to S-mode, from U and from S but not from M', () => {
  for (const mode of ['S', 'U'] as const) {
    const bench = createBench();
    runProgram(
      bench,
      inMode(
        mode,
        [['ebreak']],
        [
          ['li', 't0', 8],
          ['csrw', 'medeleg', 't0'],
        ],
      ),
    );
    assert.equal(bench.cpu.mode(0), 'S');
    assert.equal(csr(bench, 'scause'), 3n);
    assert.equal((csr(bench, 'sstatus') >> 8n) & 1n, mode === 'S' ? 1n : 0n);
    assert.equal(bench.x('s11'), 1n);
  }
  const bench = createBench();
  runProgram(bench, inMode('S', [], [['li', 't0', 8], ['csrw', 'medeleg', 't0'], ['ebreak']]));
  assert.equal(bench.cpu.mode(0), 'M');
  assert.equal(csr(bench, 'mcause'), 3n);
});

test('mret and sret restore mode and interrupt enable, and clear MPRV on the way down', () => {
  const bench = createBench();
  runProgram(
    bench,
    inMode(
      'S',
      [['csrr', 'a0', 'sstatus'], ['la', 't0', 'user'], ['csrw', 'sepc', 't0'], ['sret'], 'user:', ['ecall']],
      [
        ['li', 't0', 0x2_0080],
        ['csrs', 'mstatus', 't0'],
      ],
    ),
  );
  const status = csr(bench, 'mstatus');
  assert.equal(status & 0x2_0000n, 0n, 'MPRV');
  assert.equal((status >> 7n) & 1n, 1n, 'MPIE holds the MIE that mret restored');
  assert.equal((status >> 11n) & 3n, 0n, 'trapped from U');
  assert.equal(csr(bench, 'mcause'), 8n);
});

test('TVM, TW and TSR trap what S-mode may otherwise do', () => {
  for (const [bit, line] of [
    [20n, ['csrr', 'a0', 'satp']],
    [20n, ['sfence.vma', 'zero', 'zero']],
    [21n, ['wfi']],
    [22n, ['sret']],
  ] as const) {
    const attempt = (setup: readonly Line[]): bigint => {
      const bench = createBench();
      runProgram(bench, inMode('S', [line, ['ecall']], setup), 60);
      return csr(bench, 'mcause');
    };
    assert.equal(
      attempt([
        ['li', 't0', 1n << bit],
        ['csrs', 'mstatus', 't0'],
      ]),
      2n,
      line.join(' '),
    );
    assert.notEqual(attempt([]), 2n, line.join(' '));
  }
});

test('interrupts are taken by priority, at once when they are unmasked, vectored when asked', () => {
  const bench = createBench();
  const program = bench.load([
    ['la', 't0', 'vectors'],
    ['addi', 't0', 't0', 1],
    ['csrw', 'mtvec', 't0'],
    ['li', 't0', 0xaaa],
    ['csrw', 'mie', 't0'],
    'enable:',
    ['csrrsi', 'zero', 'mstatus', 8],
    'after:',
    ['li', 'a0', 1],
    ['wfi'],
    ['.align', 64],
    'vectors:',
    ...Array.from({ length: 16 }, (): Line => ['c.j', 'stay']),
    ...Array.from({ length: 16 }, (): Line => ['c.j', 'stay']),
    'stay:',
    ['j', 'stay'],
  ]);
  const { cpu } = bench;
  cpu.reportTraps(true);
  const order: InterruptName[] = ['MEIP', 'MSIP', 'MTIP', 'SEIP', 'SSIP', 'STIP'];
  const codes = [11, 3, 7, 9, 1, 5];
  for (let first = 0; first < order.length; first++) {
    bench.traps.length = 0;
    cpu.startHart(0, program.base, 'M');
    for (const [position, name] of order.entries()) cpu.setInterrupt(0, name, position >= first);
    const start = cpu.steps;
    cpu.run(start + 100);
    assert.equal(csr(bench, 'mcause'), (1n << 63n) | BigInt(codes[first] ?? 0));
    assert.equal(csr(bench, 'mepc'), program.labels['after']);
    assert.equal(bench.x('a0'), 0n);
    const report = bench.traps[0];
    assert.equal(report?.interrupt, true);
    assert.equal(report?.handler, (program.labels['vectors'] ?? 0n) + 4n * BigInt(codes[first] ?? 0));
    assert.equal(report?.step, start + Number((program.labels['after'] ?? 0n) - program.base) / 4);
    assert.equal(bench.traps.length, 1);
  }
});

test('delegated interrupts reach S-mode by SIE, and always from U-mode', () => {
  const setup: Line[] = [
    ['li', 't0', 0x222],
    ['csrw', 'mideleg', 't0'],
    ['csrw', 'mie', 't0'],
  ];
  const masked = createBench();
  masked.load(inMode('S', [['csrwi', 'sip', 2], 'spin:', ['j', 'spin']], setup));
  masked.cpu.startHart(0, BigInt(ramBase), 'M');
  masked.cpu.run(100);
  assert.equal(masked.x('s11'), 0n);
  assert.equal(csr(masked, 'sip'), 2n);

  const enabled = createBench();
  runProgram(
    enabled,
    inMode(
      'S',
      [
        ['csrrsi', 'zero', 'sstatus', 2],
        ['csrwi', 'sip', 2],
        ['li', 'a0', 1],
      ],
      setup,
    ),
  );
  assert.equal(csr(enabled, 'scause'), (1n << 63n) | 1n);
  assert.equal(enabled.x('a0'), 0n);
  assert.equal(enabled.x('s11'), 1n);

  const user = createBench();
  user.load(inMode('U', ['spin:', ['j', 'spin']], setup));
  user.cpu.startHart(0, BigInt(ramBase), 'M');
  user.cpu.run(100);
  user.cpu.setInterrupt(0, 'SEIP', true);
  user.cpu.run(200);
  assert.equal(csr(user, 'scause'), (1n << 63n) | 9n);
  assert.equal(user.x('s11'), 1n);
});

test('an interrupt raised by the store to a device is taken behind that store', () => {
  const bench = createBench();
  bench.answers.store = () => {
    bench.cpu.setInterrupt(0, 'MSIP', true);
    return 'done';
  };
  const program = runProgram(bench, [
    ['la', 't0', 'handler'],
    ['csrw', 'mtvec', 't0'],
    ['csrwi', 'mie', 8],
    ['csrrsi', 'zero', 'mstatus', 8],
    ['li', 't0', 0x200_0000],
    ['sw', 't0', 0, 't0'],
    'behind:',
    ['li', 'a0', 1],
    ['wfi'],
    ['.align', 4],
    'handler:',
    ['csrw', 'mie', 'zero'],
    ['wfi'],
  ]);
  assert.equal(csr(bench, 'mepc'), program.labels['behind']);
  assert.equal(bench.x('a0'), 0n);
});

test('the software half of SEIP is set and cleared by csrrs and csrrc, the wire is not', () => {
  const bench = createBench();
  const program = bench.load([
    ['li', 't0', 0x200],
    ['csrrs', 'a0', 'mip', 't0'],
    ['csrrc', 'a1', 'mip', 't0'],
    ['csrr', 'a2', 'mip'],
    ['csrrsi', 'a3', 'mip', 2],
    'wait:',
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  bench.cpu.setInterrupt(0, 'SEIP', true);
  bench.cpu.run(100);
  assert.deepEqual([bench.x('a0'), bench.x('a1'), bench.x('a2'), bench.x('a3')], [0x200n, 0x200n, 0x200n, 0x200n]);
  bench.cpu.setInterrupt(0, 'SEIP', false);
  assert.equal(csr(bench, 'mip'), 2n);
});

test('WARL fields keep what they cannot take', () => {
  const bench = createBench();
  runProgram(bench, [
    ['li', 't0', -1],
    ['csrw', 'mstatus', 't0'],
    ['csrw', 'mtvec', 't0'],
    ['csrw', 'stvec', 't0'],
    ['csrw', 'mepc', 't0'],
    ['csrw', 'medeleg', 't0'],
    ['csrw', 'mideleg', 't0'],
    ['csrw', 'mie', 't0'],
    ['csrw', 'misa', 'zero'],
    ['csrw', 'pmpcfg0', 't0'],
    ['csrw', 'pmpaddr15', 't0'],
    ['li', 't0', 0xb000_0000_0000_1234n],
    ['csrw', 'satp', 't0'],
    ['li', 't0', 0x1000],
    ['csrw', 'mstatus', 't0'],
    ['wfi'],
  ]);
  assert.equal(csr(bench, 'mstatus'), 0xa_0000_1800n, 'MPP stays M when 2 is written');
  assert.equal(csr(bench, 'mtvec'), 0n);
  assert.equal(csr(bench, 'stvec'), 0n);
  assert.equal(csr(bench, 'mepc'), (1n << 64n) - 2n);
  assert.equal(csr(bench, 'medeleg'), 0xb3ffn);
  assert.equal(csr(bench, 'mideleg'), 0x222n);
  assert.equal(csr(bench, 'mie'), 0xaaan);
  assert.equal(csr(bench, 'misa'), 0x8000_0000_0014_112dn);
  assert.equal(csr(bench, 'pmpcfg0'), 0x9f9f_9f9f_9f9f_9f9fn);
  assert.equal(csr(bench, 'pmpaddr15'), (1n << 54n) - 1n);
  assert.equal(csr(bench, 'satp'), 0n);
});

test('sstatus and sie are views of mstatus and mie', () => {
  const bench = createBench();
  runProgram(bench, [
    ['li', 't0', -1],
    ['csrw', 'sstatus', 't0'],
    ['csrr', 'a0', 'mstatus'],
    ['csrr', 'a1', 'sstatus'],
    ['csrw', 'sie', 't0'],
    ['csrr', 'a2', 'mie'],
    ['li', 't1', 0x202],
    ['csrw', 'mideleg', 't1'],
    ['csrw', 'sie', 't0'],
    ['csrr', 'a3', 'mie'],
    ['csrr', 'a4', 'sie'],
    ['wfi'],
  ]);
  assert.equal(bench.x('a0'), 0x8000_000a_000c_6122n);
  assert.equal(bench.x('a1'), 0x8000_0002_000c_6122n);
  assert.equal(bench.x('a2'), 0n);
  assert.equal(bench.x('a3'), 0x202n);
  assert.equal(bench.x('a4'), 0x202n);
});

test('read-only CSRs refuse writes but not reads, and csrrs with x0 is a read', () => {
  for (const [line, cause] of [
    [['csrr', 'a0', 'mhartid'], 0n],
    [['csrrs', 'a0', 'mhartid', 'zero'], 0n],
    [['csrrsi', 'a0', 'mhartid', 0], 0n],
    [['csrrsi', 'a0', 'mhartid', 1], 2n],
    [['csrrw', 'zero', 'mhartid', 'zero'], 2n],
    [['csrrs', 'a0', 'mhartid', 't0'], 2n],
    [['csrrw', 'a0', 'cycle', 'zero'], 2n],
  ] as const) {
    const bench = createBench();
    runProgram(bench, [
      ['la', 't1', 'handler'],
      ['csrw', 'mtvec', 't1'],
      line,
      ['wfi'],
      ['.align', 4],
      'handler:',
      ['wfi'],
    ]);
    assert.equal(csr(bench, 'mcause'), cause, line.join(' '));
  }
});

test('lower modes see the counters that were enabled for them', () => {
  for (const [mode, machine, supervisor, allowed] of [
    ['S', 0, 7, false],
    ['S', 2, 0, true],
    ['U', 2, 0, false],
    ['U', 2, 2, true],
    ['U', 0, 2, false],
  ] as const) {
    const bench = createBench();
    bench.answers.time = () => 77n;
    runProgram(
      bench,
      inMode(
        mode,
        [['csrr', 'a0', 'time'], ['ecall']],
        [
          ['csrwi', 'mcounteren', machine],
          ['csrwi', 'scounteren', supervisor],
        ],
      ),
    );
    assert.equal(csr(bench, 'mcause'), allowed ? (mode === 'S' ? 9n : 8n) : 2n, `${mode} ${machine} ${supervisor}`);
    assert.equal(bench.x('a0'), allowed ? 77n : 0n);
  }
});

test('floating point is illegal while FS is off and marks FS dirty when used', () => {
  for (const line of [
    ['fadd.d', 'fa0', 'fa0', 'fa0'],
    ['fmv.x.d', 'a0', 'fa0'],
    ['fld', 'fa0', 0, 's0'],
    ['fsd', 'fa0', 0, 's0'],
    ['csrr', 'a0', 'fcsr'],
  ] as const) {
    const attempt = (fs: number): Bench => {
      const bench = createBench();
      runProgram(bench, [
        ['la', 't1', 'handler'],
        ['csrw', 'mtvec', 't1'],
        ['li', 's0', ramBase + 0x3000],
        ['li', 't0', fs],
        ['csrs', 'mstatus', 't0'],
        line,
        ['wfi'],
        ['.align', 4],
        'handler:',
        ['wfi'],
      ]);
      return bench;
    };
    assert.equal(csr(attempt(0), 'mcause'), 2n, line.join(' '));
    const used = attempt(0x2000);
    assert.equal(csr(used, 'mcause'), 0n, line.join(' '));
    const dirty = line[0] === 'fadd.d' || line[0] === 'fld';
    assert.equal(csr(used, 'mstatus') >> 63n, dirty ? 1n : 0n, line.join(' '));
  }
});

test('a reserved rounding mode is illegal, in the instruction and in frm', () => {
  for (const [frm, rm, legal] of [
    [0, 'dyn', true],
    [4, 'dyn', true],
    [5, 'dyn', false],
    [5, 'rne', true],
    [0, 5, false],
    [0, 6, false],
  ] as const) {
    const bench = createBench();
    runProgram(bench, [
      ['la', 't1', 'handler'],
      ['csrw', 'mtvec', 't1'],
      ['li', 't0', 0x2000],
      ['csrs', 'mstatus', 't0'],
      ['csrwi', 'frm', frm],
      ['fadd.s', 'fa0', 'fa1', 'fa2', rm],
      ['wfi'],
      ['.align', 4],
      'handler:',
      ['wfi'],
    ]);
    assert.equal(csr(bench, 'mcause'), legal ? 0n : 2n, `frm ${frm}, rm ${rm}`);
  }
});

test('fcsr, frm and fflags are one register', () => {
  const bench = createBench();
  runProgram(bench, [
    ['li', 't0', 0x2000],
    ['csrs', 'mstatus', 't0'],
    ['li', 't0', -1],
    ['csrw', 'fcsr', 't0'],
    ['csrr', 'a0', 'fcsr'],
    ['csrwi', 'frm', 1],
    ['csrrwi', 'a1', 'fflags', 2],
    ['csrr', 'a2', 'fcsr'],
    ['csrwi', 'fcsr', 0],
    ['fcvt.w.s', 'a3', 'fa0'],
    ['csrr', 'a4', 'fflags'],
    ['wfi'],
  ]);
  assert.deepEqual([bench.x('a0'), bench.x('a1'), bench.x('a2')], [0xffn, 0x1fn, 0x22n]);
  // What is not NaN-boxed converts as a NaN and is invalid.
  assert.deepEqual([bench.x('a3'), bench.x('a4')], [0x7fff_ffffn, 0x10n]);
});

test('an environment call of S-mode may be served outside, and may move the hart', () => {
  const program = inMode('S', [['ecall'], 'next:', ['li', 'a1', 5], ['wfi'], 'elsewhere:', ['li', 'a1', 9], ['wfi']]);
  const served = createBench();
  served.answers.environmentCall = () => {
    served.cpu.writeX(0, 10, 0n);
    return true;
  };
  runProgram(served, program);
  assert.equal(served.x('a1'), 5n);
  assert.equal(csr(served, 'mcause'), 0n);

  const moved = createBench();
  const placed = moved.load(program);
  moved.answers.environmentCall = () => {
    moved.cpu.writePc(0, placed.labels['elsewhere'] ?? 0n);
    return true;
  };
  moved.cpu.startHart(0, placed.base, 'M');
  moved.cpu.run(1000);
  assert.equal(moved.x('a1'), 9n);

  const refused = createBench();
  runProgram(refused, program);
  assert.equal(csr(refused, 'mcause'), 9n);
  assert.equal(refused.x('s10'), 1n);

  const stopping = createBench();
  stopping.answers.environmentCall = () => {
    stopping.cpu.stopHart(0);
    return true;
  };
  runProgram(stopping, program);
  assert.equal(stopping.cpu.hartState(0), 'stopped');
  assert.equal(stopping.cpu.readPc(0), placed.labels['next']);
});

test('a hart started in S-mode runs without firmware', () => {
  const bench = createBench();
  const program = bench.load([['csrr', 'a1', 'satp'], ['li', 's0', ramBase + 0x3000], ['sd', 's0', 0, 's0'], ['wfi']]);
  bench.cpu.startHart(0, program.base, 'S');
  assert.deepEqual(bench.cpu.run(100), { kind: 'idle' });
  assert.equal(bench.cpu.mode(0), 'S');
  assert.equal(csr(bench, 'mcause'), 0n);
});

test('CSRs can be read and written by number from outside, where they exist', () => {
  const bench = createBench();
  bench.cpu.startHart(0, BigInt(ramBase), 'M');
  assert.equal(bench.cpu.pokeCsr(0, 0x340, 5n), true);
  assert.equal(bench.cpu.peekCsr(0, 0x340), 5n);
  assert.equal(bench.cpu.pokeCsr(0, 0xf14, 5n), false);
  assert.equal(bench.cpu.pokeCsr(0, 0x5c0, 5n), false);
  assert.equal(bench.cpu.peekCsr(0, 0x5c0), undefined);
  assert.equal(bench.cpu.peekCsr(0, 0xf14), 0n);
  const numbers = bench.cpu.csrs.map((row) => row.number);
  assert.equal(new Set(numbers).size, numbers.length);
});
