// Sstc at the processor: who may access stimecmp, what the environment hears, and who writes STIP. [RISC-V priv. 12, Sstc]
import assert from 'node:assert';
import { test } from 'node:test';
import { createCpu } from '../../../emulator/cpu';
import { assemble, type Line } from '../../assembler';
import { createBench, ramBase } from './harness';

const csr = { stimecmp: 0x14d, menvcfg: 0x30a, mcounteren: 0x306, mip: 0x344, mideleg: 0x303 } as const;
const STCE = 1n << 63n;
const STIP = 0x20n;

test('S-mode needs menvcfg.STCE and mcounteren.TM, M-mode neither, U-mode never has it', () => {
  for (const [mode, menvcfg, mcounteren, allowed] of [
    ['M', 0n, 0n, true],
    ['S', STCE, 2n, true],
    ['S', 0n, 2n, false],
    ['S', STCE, 5n, false],
    ['U', STCE, 7n, false],
  ] as const) {
    const bench = createBench();
    const program = bench.load([['csrrw', 'a0', 'stimecmp', 'a1'], ['ebreak']]);
    bench.cpu.startHart(0, program.base, mode);
    bench.cpu.pokeCsr(0, csr.menvcfg, menvcfg);
    bench.cpu.pokeCsr(0, csr.mcounteren, mcounteren);
    bench.cpu.writeX(0, 11, 77n);
    bench.cpu.reportTraps(true);
    bench.answers.trap = () => bench.cpu.requestStop();
    bench.cpu.run(10);
    assert.equal(bench.traps[0]?.cause, allowed ? 3 : 2, `${mode} ${menvcfg} ${mcounteren}`);
    if (!allowed) continue;
    assert.equal(bench.x('a0'), (1n << 64n) - 1n);
    assert.equal(bench.cpu.peekCsr(0, csr.stimecmp), 77n);
  }
});

test('the environment hears of every change, and of being switched off', () => {
  const heard: (bigint | undefined)[] = [];
  const cpu = createCpu(
    { harts: 1, ramBase, ramBytes: 0x1_0000 },
    {
      load: () => 'fault',
      store: () => 'fault',
      beforeWatched: () => 'proceed',
      afterWatched: () => undefined,
      time: () => 0n,
      environmentCall: () => false,
      trap: () => undefined,
      supervisorTimer: (_hart, compare) => heard.push(compare),
    },
  );
  cpu.startHart(0, BigInt(ramBase), 'M');
  cpu.pokeCsr(0, csr.stimecmp, 5n);
  cpu.pokeCsr(0, csr.menvcfg, STCE);
  cpu.pokeCsr(0, csr.menvcfg, STCE | 1n);
  cpu.pokeCsr(0, csr.stimecmp, 6n);
  cpu.pokeCsr(0, csr.menvcfg, 0n);
  assert.deepEqual(heard, [undefined, undefined, 5n, 6n, undefined]);
});

test('software writes STIP only while the comparator does not', () => {
  const write: Line[] = [['csrrw', 'zero', 'mip', 'a0'], ['csrr', 'a1', 'mip'], ['wfi']];
  for (const [menvcfg, seen] of [
    [0n, STIP],
    [STCE, 0n],
  ] as const) {
    const bench = createBench();
    const program = assemble(write, ramBase);
    bench.cpu.ram.set(program.bytes);
    bench.cpu.startHart(0, program.base, 'M');
    bench.cpu.pokeCsr(0, csr.menvcfg, menvcfg);
    bench.cpu.writeX(0, 10, STIP);
    bench.cpu.run(10);
    assert.equal(bench.x('a1') & STIP, seen);
    // The wire itself always counts.
    bench.cpu.setInterrupt(0, 'STIP', true);
    assert.equal((bench.cpu.peekCsr(0, csr.mip) ?? 0n) & STIP, STIP);
  }
});
