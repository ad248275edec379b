// Smaia and Ssaia: CSRs that exist only with interrupt files, and which of several interrupts goes first. [RISC-V AIA 1.0, 2, 5]
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { interruptBit, type InterruptFiles, type InterruptName } from '../../../emulator/cpu/contract';
import { createBench, ramBase, runProgram } from './harness';

const csr = {
  miselect: 0x350,
  mireg: 0x351,
  mtopei: 0x35c,
  mtopi: 0xfb0,
  siselect: 0x150,
  sireg: 0x151,
  stopi: 0xdb0,
} as const;
const standard = { mstatus: 0x300, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mcause: 0x342 } as const;
/** Interrupt files that show one identity for ever. */
function filesWith(identity: number): InterruptFiles & { readonly claims: string[] } {
  const claims: string[] = [];
  return {
    claims,
    read: (_hart, _level, select) => (select === 0x70 ? 1n : undefined),
    write: () => undefined,
    top: () => identity,
    claim: (hart, level) => void claims.push(`${level}${hart}`),
  };
}

test('without interrupt files the CSRs do not exist', () => {
  const bare = createBench();
  const full = createBench({}, filesWith(0));
  for (const number of Object.values(csr)) {
    assert.equal(bare.cpu.peekCsr(0, number), undefined);
    assert.equal(bare.cpu.pokeCsr(0, number, 1n), false);
    assert.notEqual(full.cpu.peekCsr(0, number), undefined);
  }
  assert.equal(
    bare.cpu.csrs.some(({ name }) => name === 'mtopi'),
    false,
  );
  assert.equal(
    full.cpu.csrs.some(({ name }) => name === 'mtopi'),
    true,
  );
  for (const [bench, cause] of [
    [bare, 2n],
    [full, 0n],
  ] as const) {
    runProgram(bench, [['la', 't0', 'trap'], ['csrw', 'mtvec', 't0'], ['csrr', 'a0', 'mtopi'], ['wfi'], 'trap:', ['wfi']]); // prettier-ignore
    assert.equal(bench.cpu.peekCsr(0, standard.mcause), cause);
  }
});

test('a window shows what its select register chooses, and nothing else is legal', () => {
  const { cpu } = createBench({}, filesWith(3));
  cpu.pokeCsr(0, csr.miselect, 0x1070n);
  assert.equal(cpu.peekCsr(0, csr.miselect), 0x70n, 'nine bits');
  assert.equal(cpu.peekCsr(0, csr.mireg), 1n);
  cpu.pokeCsr(0, csr.miselect, 0x30n);
  cpu.pokeCsr(0, csr.mireg, (1n << 64n) - 1n);
  assert.equal(cpu.peekCsr(0, csr.mireg), 0xff00_ff00_ff00_ff00n, 'bytes of interrupts 1, 3, 5 and 7');
  cpu.pokeCsr(0, csr.miselect, 0x32n);
  cpu.pokeCsr(0, csr.mireg, (1n << 64n) - 1n);
  assert.equal(cpu.peekCsr(0, csr.mireg), 0xff00n, 'of 9; that of the external interrupt is always 0');
  cpu.pokeCsr(0, csr.siselect, 0x30n);
  assert.equal(cpu.peekCsr(0, csr.sireg), 0n, 'the levels have their own');
});

test('mtopei is claimed by any write', () => {
  const files = filesWith(9);
  const { cpu } = createBench({}, files);
  assert.equal(cpu.peekCsr(0, csr.mtopei), 0x9_0009n);
  assert.deepEqual(files.claims, []);
  cpu.pokeCsr(0, csr.mtopei, 0n);
  assert.deepEqual(files.claims, ['M0']);
});

const names: readonly InterruptName[] = ['SSIP', 'MSIP', 'STIP', 'MTIP', 'SEIP', 'MEIP'];
/** Default order of machine level, as the specification lists it. */
const defaultOrder: readonly InterruptName[] = ['MEIP', 'MSIP', 'MTIP', 'SEIP', 'SSIP', 'STIP'];

test('the interrupt that is taken is the one that mtopi shows, and both follow the priorities', () => {
  const priorities = fc.record({
    identity: fc.integer({ min: 1, max: 255 }),
    pending: fc.subarray([...names], { minLength: 1 }),
    low: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    supervisorExternal: fc.constantFrom(0, 1, 40, 255),
    compiled: fc.boolean(),
  });
  fc.assert(
    fc.property(priorities, ({ identity, pending, low, supervisorExternal, compiled }) => {
      const bench = createBench({ compiler: compiled ? 'on' : 'off' }, filesWith(identity));
      const { cpu } = bench;
      const { base, labels } = bench.load([['csrw', 'mstatus', 't0'], ['wfi'], 'trap:', ['j', 'trap']]);
      cpu.startHart(0, base, 'M');
      cpu.writeX(0, 5, 8n);
      cpu.pokeCsr(0, standard.mtvec, labels['trap'] ?? 0n);
      cpu.pokeCsr(0, csr.miselect, 0x30n);
      cpu.pokeCsr(
        0,
        csr.mireg,
        low.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n),
      );
      cpu.pokeCsr(0, csr.miselect, 0x32n);
      cpu.pokeCsr(0, csr.mireg, BigInt(supervisorExternal) << 8n);
      cpu.pokeCsr(0, standard.mie, 0xaaan);
      for (const name of pending) cpu.setInterrupt(0, name, true);
      const rank = (name: InterruptName): readonly [number, number] => {
        const code = interruptBit[name];
        const place = defaultOrder.indexOf(name);
        if (name === 'MEIP') return [identity, place];
        const configured = name === 'SEIP' ? supervisorExternal : (low[code] ?? 0);
        // Every other one comes behind the external interrupt by default.
        return [configured === 0 ? 256 : configured, place];
      };
      const sorted = [...pending].sort((a, b) => {
        const [[first, one], [second, other]] = [rank(a), rank(b)];
        return Math.min(first, 255) - Math.min(second, 255) || one - other;
      });
      const best = sorted[0];
      assert.ok(best !== undefined);
      assert.equal((cpu.peekCsr(0, csr.mtopi) ?? 0n) >> 16n, BigInt(interruptBit[best]));
      cpu.run(100);
      assert.equal(cpu.peekCsr(0, standard.mcause), (1n << 63n) | BigInt(interruptBit[best]));
    }),
    { numRuns: 60 },
  );
});

test('stopi has the delegated interrupts, and a saved processor has its priorities', () => {
  const { cpu } = createBench({}, filesWith(7));
  cpu.startHart(0, BigInt(ramBase), 'M');
  cpu.pokeCsr(0, standard.mideleg, 0x222n);
  cpu.pokeCsr(0, standard.mie, 0xaaan);
  cpu.setInterrupt(0, 'SEIP', true);
  cpu.setInterrupt(0, 'STIP', true);
  assert.equal(cpu.peekCsr(0, csr.mtopi), 0n);
  assert.equal(cpu.peekCsr(0, csr.stopi), 0x9_0007n);
  cpu.pokeCsr(0, csr.siselect, 0x30n);
  cpu.pokeCsr(0, csr.sireg, 2n << 40n);
  assert.equal(cpu.peekCsr(0, csr.stopi), 0x5_0002n);
  const saved = cpu.save();
  cpu.pokeCsr(0, csr.sireg, 0n);
  assert.equal(cpu.peekCsr(0, csr.stopi), 0x9_0007n);
  cpu.restore(saved);
  assert.equal(cpu.peekCsr(0, csr.stopi), 0x5_0002n);
});
