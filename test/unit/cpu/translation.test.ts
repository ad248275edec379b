// Address translation and physical memory protection. [RISC-V priv. 3.7, 10.3 to 10.5]
import assert from 'node:assert';
import { test } from 'node:test';
import type { Line } from '../../assembler';
import { createBench, ramBase, type Bench } from './harness';

const V = 1;
const R = 2;
const W = 4;
const X = 8;
const U = 16;
const A = 64;
const D = 128;
const full = V | R | W | X | A | D;

const sv39 = { mode: 8n, levels: 3 };
const sv48 = { mode: 9n, levels: 4 };
const sv57 = { mode: 10n, levels: 5 };
const schemes = [sv39, sv48, sv57];
const tables = 0x8_0000;
const satp = 0x180;
const mstatus = 0x300;

/** Page tables in RAM, built one mapping at a time. */
class Tables {
  private next = tables + 0x1000;
  constructor(
    private readonly bench: Bench,
    private readonly scheme: { mode: bigint; levels: number },
  ) {}
  private get view(): DataView {
    return new DataView(this.bench.cpu.ram.buffer, this.bench.cpu.ram.byteOffset);
  }
  /** Maps `virtual` at a level (0: 4 KiB, 1: 2 MiB, ...); returns the entry's offset in RAM. */
  map(virtual: bigint, physical: number, flags: number, level = 0): number {
    let table = tables;
    for (let at = this.scheme.levels - 1; at > level; at--) {
      const entry = table + Number((virtual >> BigInt(12 + 9 * at)) & 511n) * 8;
      const old = this.view.getBigUint64(entry, true);
      if (old === 0n) {
        this.view.setBigUint64(entry, (BigInt(ramBase + this.next) >> 2n) | 1n, true);
        table = this.next;
        this.next += 0x1000;
      } else table = Number((old >> 10n) << 12n) - ramBase;
    }
    const entry = table + Number((virtual >> BigInt(12 + 9 * level)) & 511n) * 8;
    this.view.setBigUint64(entry, (BigInt(physical) >> 2n) | BigInt(flags), true);
    return entry;
  }
  entry(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }
  satp(): bigint {
    return (this.scheme.mode << 60n) | (BigInt(ramBase + tables) >> 12n);
  }
}

/** A bench in S- or U-mode with code mapped to itself at page 0 of RAM. */
function translated(
  mode: 'S' | 'U',
  lines: readonly Line[],
  options: { scheme?: typeof sv39; status?: bigint; map?: (tables: Tables) => void } = {},
): Bench & { tables: Tables } {
  const bench = createBench();
  const built = new Tables(bench, options.scheme ?? sv39);
  built.map(BigInt(ramBase), ramBase, full | (mode === 'U' ? U : 0));
  options.map?.(built);
  const program = bench.load([...lines, ['.word', 0]]);
  const { cpu } = bench;
  cpu.startHart(0, program.base, mode);
  cpu.pokeCsr(0, satp, built.satp());
  cpu.pokeCsr(0, mstatus, (cpu.peekCsr(0, mstatus) ?? 0n) | (options.status ?? 0n));
  cpu.reportTraps(true);
  bench.answers.trap = () => cpu.requestStop();
  return { ...bench, tables: built };
}

/** Runs one access and says which trap it took, with its tval; undefined for none. */
function trapOf(bench: Bench): { cause: number; tval: bigint } | undefined {
  bench.cpu.run(bench.cpu.steps + 50);
  const trap = bench.traps[0];
  // The word behind the program is illegal and ends it.
  return trap === undefined || trap.cause === 2 ? undefined : { cause: trap.cause, tval: trap.tval };
}

const there = 0x4000_5000n;
const target = ramBase + 0x5000;
const loadFrom = (address: bigint): Line[] => [
  ['li', 's0', address],
  ['ld', 'a0', 0, 's0'],
];
const storeTo = (address: bigint): Line[] => [
  ['li', 's0', address],
  ['sd', 's0', 0, 's0'],
];
const jumpTo = (address: bigint): Line[] => [
  ['li', 's0', address],
  ['jr', 's0'],
];

test('permissions of a page, for each mode and kind of access', () => {
  const SUM = 1n << 18n;
  const MXR = 1n << 19n;
  for (const [mode, flags, status, load, store, fetch] of [
    ['S', V | R | W | X | A | D, 0n, true, true, true],
    ['S', V | R | A | D, 0n, true, false, false],
    ['S', V | X | A | D, 0n, false, false, true],
    ['S', V | X | A | D, MXR, true, false, true],
    ['S', V | R | W | A | D, 0n, true, true, false],
    ['S', full | U, 0n, false, false, false],
    ['S', full | U, SUM, true, true, false],
    ['U', full | U, 0n, true, true, true],
    ['U', full, 0n, false, false, false],
    ['U', V | X | U | A | D, MXR, true, false, true],
    ['S', 0, 0n, false, false, false],
    ['S', R | W | X | A | D, 0n, false, false, false],
    ['S', V | W | A | D, 0n, false, false, false],
    ['S', V | W | X | A | D, 0n, false, false, false],
  ] as const) {
    const attempt = (lines: Line[]): ReturnType<typeof trapOf> =>
      trapOf(translated(mode, lines, { status, map: (to) => to.map(there, target, flags) }));
    const what = `${mode} flags ${flags} status ${status}`;
    assert.deepEqual(attempt(loadFrom(there)), load ? undefined : { cause: 13, tval: there }, `load ${what}`);
    assert.deepEqual(attempt(storeTo(there)), store ? undefined : { cause: 15, tval: there }, `store ${what}`);
    assert.deepEqual(attempt(jumpTo(there)), fetch ? undefined : { cause: 12, tval: there }, `fetch ${what}`);
  }
});

test('accessed and dirty bits are set by hardware, dirty only by stores', () => {
  let entry = 0;
  const options = { map: (to: Tables) => (entry = to.map(there, target, V | R | W)) };
  const loaded = translated('S', loadFrom(there), options);
  assert.equal(trapOf(loaded), undefined);
  assert.equal(Number(loaded.tables.entry(entry) & 0xffn), V | R | W | A);
  const stored = translated('S', [...loadFrom(there), ...storeTo(there)], options);
  assert.equal(trapOf(stored), undefined);
  assert.equal(Number(stored.tables.entry(entry) & 0xffn), V | R | W | A | D);
  const refused = translated('U', storeTo(there), options);
  trapOf(refused);
  assert.equal(Number(refused.tables.entry(entry) & 0xffn), V | R | W);
});

test('superpages map and must be aligned', () => {
  for (const scheme of schemes) {
    for (const level of [1, 2]) {
      const virtual = 5n << BigInt(12 + 9 * level);
      const lines: Line[] = [
        ['li', 's0', virtual + 0x5008n],
        ['li', 'a0', 77],
        ['sd', 'a0', 0, 's0'],
      ];
      const bench = translated('S', lines, { scheme, map: (to) => to.map(virtual, ramBase, full, level) });
      assert.equal(bench.cpu.translate(0, virtual + 0x5008n), ramBase + 0x5008);
      assert.equal(trapOf(bench), undefined, `level ${level}`);
      assert.equal(bench.cpu.ram[0x5008], 77);
      const misaligned = translated('S', loadFrom(virtual), {
        scheme,
        map: (to) => to.map(virtual, ramBase + 0x1000, full, level),
      });
      assert.equal(misaligned.cpu.translate(0, virtual), undefined);
      assert.deepEqual(trapOf(misaligned), { cause: 13, tval: virtual });
    }
  }
});

test('addresses that are not sign-extended fault', () => {
  for (const [scheme, address] of [
    [sv39, 0x40_0000_0000n],
    [sv39, 0xffff_0000_0000_0000n],
    [sv48, 0x8000_0000_0000n],
    [sv57, 0x100_0000_0000_0000n],
    [sv57, 0xfe00_0000_0000_0000n],
  ] as const) {
    assert.deepEqual(trapOf(translated('S', loadFrom(address), { scheme })), { cause: 13, tval: address });
  }
  const high = 0xffff_ffff_ffff_f000n;
  for (const scheme of schemes) {
    const bench = translated('S', loadFrom(high), { scheme, map: (to) => to.map(high, target, full) });
    assert.equal(trapOf(bench), undefined);
  }
});

test('reserved bits in an entry fault', () => {
  for (const reserved of [1n << 54n, 1n << 60n, 1n << 61n, 1n << 62n]) {
    assert.deepEqual(trapWith(reserved, []), { cause: 13, tval: there });
  }
});

const menvcfg = 0x30a;
const PBMTE = 1n << 62n;

/** What a load from a page traps with whose entry has these bits too, at its level 0 or above its leaf. */
function trapWith(bits: bigint, enabled: readonly bigint[], at: 'leaf' | 'table' = 'leaf') {
  let entry = 0;
  const bench = translated('S', loadFrom(there), { map: (to) => (entry = to.map(there, target, full)) });
  const view = new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset);
  if (at === 'table') entry = tables + Number((there >> 30n) & 511n) * 8;
  view.setBigUint64(entry, bench.tables.entry(entry) | bits, true);
  bench.cpu.pokeCsr(
    0,
    menvcfg,
    enabled.reduce((all, bit) => all | bit, 0n),
  );
  return trapOf(bench);
}

test('memory types are there while menvcfg.PBMTE is set, in leaves only; one is reserved', () => {
  for (const type of [1n, 2n]) assert.equal(trapWith(type << 61n, [PBMTE]), undefined);
  assert.deepEqual(trapWith(3n << 61n, [PBMTE]), { cause: 13, tval: there });
  assert.deepEqual(trapWith(1n << 61n, []), { cause: 13, tval: there });
  assert.deepEqual(trapWith(1n << 61n, [PBMTE], 'table'), { cause: 13, tval: there });
});

test('a range of 64 KiB maps each of its pages to the page of the same place', () => {
  const range = 0x4001_0000n;
  const N = 1n << 63n;
  const lines: Line[] = [
    ['li', 's0', range],
    ['li', 's1', 0x1000],
    ['li', 't0', 16],
    'next:',
    ['ld', 't1', 0, 's0'],
    ['add', 'a0', 'a0', 't1'],
    ['sd', 'a0', 8, 's0'],
    ['add', 's0', 's0', 's1'],
    ['addi', 't0', 't0', -1],
    ['bnez', 't0', 'next'],
  ];
  const entries: number[] = [];
  const attempt = (first: bigint, ending = 8n, level = 0) => {
    entries.length = 0;
    const bench = translated('S', lines, {
      map: (to) => {
        for (let page = 0; page < (level === 0 ? 16 : 1); page++) {
          entries.push(to.map(first + BigInt(page * 0x1000), ramBase + 0x10000, V | R | W, level));
        }
      },
    });
    const view = new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset);
    for (const entry of entries) {
      view.setBigUint64(entry, bench.tables.entry(entry) | N | (ending << 10n), true);
    }
    for (let page = 0; page < 16; page++) view.setBigUint64(0x10000 + page * 0x1000, BigInt(page + 1), true);
    const seen = entries.map((_, page) => bench.cpu.translate(0, first + BigInt(page * 0x1000)));
    bench.cpu.run(bench.cpu.steps + 200);
    return { bench, seen, trap: bench.traps[0], view };
  };
  const { bench, seen, trap, view } = attempt(range);
  assert.equal(trap?.cause, 2, 'the illegal word at the end');
  assert.equal(bench.x('a0'), 136n);
  for (let page = 0; page < 16; page++) {
    const sum = BigInt(((page + 1) * (page + 2)) / 2);
    assert.equal(view.getBigUint64(0x10000 + page * 0x1000 + 8, true), sum, `page ${page}`);
    assert.equal(seen[page], ramBase + 0x10000 + page * 0x1000);
    assert.equal(bench.tables.entry(entries[page] ?? 0) & 0xc0n, 0xc0n, 'A and D of the entry that was walked');
  }
  for (const wrong of [0n, 4n, 12n, 9n]) assert.equal(attempt(range, wrong).trap?.cause, 13, `pattern ${wrong}`);
  assert.equal(attempt(0x4000_0000n, 8n, 1).trap?.cause, 13, 'not at a higher level');
});

test('an invalidation for one address forgets the whole range that holds it', () => {
  for (const invalidate of ['sfence.vma', 'sinval.vma']) {
    const range = 0x4001_0000n;
    let entry = 0;
    const entryAt = 0x7000_0000n;
    const bench = translated(
      'S',
      [
        ['li', 's0', range],
        ['ld', 'a0', 0, 's0'],
        ['sd', 'zero', 0, 's4'],
        ['li', 't0', 0x5000],
        ['add', 't0', 't0', 's0'],
        ['sfence.w.inval'],
        [invalidate, 't0', 'zero'],
        ['sfence.inval.ir'],
        ['ld', 'a1', 0, 's0'],
      ],
      {
        map: (to) => {
          entry = to.map(range, ramBase + 0x18000, full);
          to.map(entryAt, ramBase + (entry & ~0xfff), full);
        },
      },
    );
    const view = new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset);
    view.setBigUint64(entry, bench.tables.entry(entry) | (1n << 63n), true);
    bench.cpu.writeX(0, 20, entryAt + BigInt(entry & 0xfff));
    assert.deepEqual(trapOf(bench), { cause: 13, tval: range }, invalidate);
  }
});

test('Svinval: illegal in U-mode, and the invalidation alone where TVM traps it', () => {
  const TVM = 1n << 20n;
  const attempt = (mode: 'S' | 'U', line: Line, status = 0n): number | undefined => {
    const bench = translated(mode, [line, ['ebreak']], { status });
    bench.cpu.run(bench.cpu.steps + 50);
    return bench.traps[0]?.cause;
  };
  for (const line of [['sinval.vma', 'zero', 'zero'], ['sfence.w.inval'], ['sfence.inval.ir']] as const) {
    assert.equal(attempt('U', line), 2, line[0]);
    assert.equal(attempt('S', line), 3, line[0]);
    assert.equal(attempt('S', line, TVM), line[0] === 'sinval.vma' ? 2 : 3, line[0]);
  }
});

test('tables outside RAM are access faults, and walks end', () => {
  const outside = translated('S', loadFrom(there), {});
  outside.cpu.pokeCsr(0, satp, (8n << 60n) | 5n);
  outside.cpu.run(1);
  assert.equal(outside.traps[0]?.cause, 1);
  // A table that points to itself at every level has no leaf.
  const cyclic = translated('S', loadFrom(there), {
    map: (to) => {
      const entry = to.map(there, ramBase + tables, V, 2);
      assert.ok(entry > 0);
    },
  });
  assert.deepEqual(trapOf(cyclic), { cause: 13, tval: there });
});

test('a store across two pages reaches both, or neither when the second faults', () => {
  const edge = there + 0xffcn;
  const lines: Line[] = [
    ['li', 's0', edge],
    ['li', 'a0', 0x1122_3344_5566_7788n],
    ['sd', 'a0', 0, 's0'],
    ['ld', 'a1', 0, 's0'],
  ];
  const both = translated('S', lines, {
    map: (to) => {
      to.map(there, target, full);
      to.map(there + 0x1000n, ramBase + 0x7000, full);
    },
  });
  assert.equal(trapOf(both), undefined);
  assert.equal(both.x('a1'), 0x1122_3344_5566_7788n);
  assert.equal(both.cpu.ram[0x5fff], 0x55);
  assert.equal(both.cpu.ram[0x7000], 0x44);
  const first = translated('S', lines, { map: (to) => to.map(there, target, full) });
  assert.deepEqual(trapOf(first), { cause: 15, tval: there + 0x1000n });
  assert.equal(first.cpu.ram[0x5fff], 0);
});

test('an instruction across two pages: the fault of its second half names that half', () => {
  const bench = translated('S', jumpTo(there + 0xffen), { map: (to) => to.map(there, target, full) });
  bench.cpu.ram.set([0x13, 0x05], 0x5ffe);
  bench.cpu.run(50);
  assert.equal(bench.traps[0]?.cause, 12);
  assert.equal(bench.traps[0]?.tval, there + 0x1000n);
  assert.equal(bench.traps[0]?.epc, there + 0xffen);
});

test('sfence.vma makes changed tables visible, for one address and for all', () => {
  for (const fence of [
    ['sfence.vma', 's0', 'zero'],
    ['sfence.vma', 'zero', 'zero'],
  ] as const) {
    let entry = 0;
    const entryAt = 0x7000_0000n;
    const bench = translated(
      'S',
      [
        ...loadFrom(there),
        ['mv', 'a1', 'a0'],
        ['li', 's1', entryAt],
        ['li', 's2', 0],
        'patch:',
        ['sd', 's3', 0, 's4'],
        fence,
        ['ld', 'a2', 0, 's0'],
      ],
      {
        map: (to) => {
          entry = to.map(there, target, full);
          to.map(entryAt, ramBase + (entry & ~0xfff), full);
        },
      },
    );
    const view = new DataView(bench.cpu.ram.buffer, bench.cpu.ram.byteOffset);
    view.setBigUint64(0x5000, 1n, true);
    view.setBigUint64(0x6000, 2n, true);
    bench.cpu.writeX(0, 19, (BigInt(ramBase + 0x6000) >> 2n) | BigInt(full));
    bench.cpu.writeX(0, 20, entryAt + BigInt(entry & 0xfff));
    assert.equal(trapOf(bench), undefined);
    assert.deepEqual([bench.x('a1'), bench.x('a2')], [1n, 2n], fence.join(' '));
  }
});

test('sfence.vma for one address forgets the whole large page that holds it', () => {
  const large = 0x4020_0000n;
  let entry = 0;
  const entryAt = 0x7000_0000n;
  const bench = translated(
    'S',
    [
      ['li', 's0', large + 0x5000n],
      ['ld', 'a0', 0, 's0'],
      ['sd', 's3', 0, 's4'],
      ['li', 't0', large],
      ['sfence.vma', 't0', 'zero'],
      ['ld', 'a1', 0, 's0'],
    ],
    {
      map: (to) => {
        entry = to.map(large, ramBase, full, 1);
        to.map(entryAt, ramBase + (entry & ~0xfff), full);
      },
    },
  );
  bench.cpu.writeX(0, 19, 0n);
  bench.cpu.writeX(0, 20, entryAt + BigInt(entry & 0xfff));
  assert.deepEqual(trapOf(bench), { cause: 13, tval: large + 0x5000n });
});

test('MPRV makes M-mode data accesses those of MPP', () => {
  const bench = createBench();
  const built = new Tables(bench, sv39);
  built.map(there, target, full);
  const program = bench.load([
    ['li', 't0', 0x1f],
    ['csrw', 'pmpcfg0', 't0'],
    ['li', 't0', -1],
    ['csrw', 'pmpaddr0', 't0'],
    ['li', 't0', built.satp()],
    ['csrw', 'satp', 't0'],
    ['li', 't0', 0x2_0800],
    ['csrs', 'mstatus', 't0'],
    ['li', 's0', there],
    ['li', 'a0', 5],
    ['sd', 'a0', 0, 's0'],
    ['csrc', 'mstatus', 't0'],
    ['li', 's1', target],
    ['ld', 'a1', 0, 's1'],
    ['wfi'],
  ]);
  bench.cpu.startHart(0, program.base, 'M');
  assert.deepEqual(bench.cpu.run(1000), { kind: 'idle' });
  assert.equal(bench.x('a1'), 5n);
});

test('memory protection: regions, priorities, locks and partial matches', () => {
  const region = ramBase + 0x5000;
  const cfg = (mode: 'off' | 'tor' | 'na4' | 'napot', permissions: number, locked = false): bigint =>
    BigInt((['off', 'tor', 'na4', 'napot'].indexOf(mode) << 3) | permissions | (locked ? 0x80 : 0));
  const all = cfg('napot', 7);
  const everywhere = (1n << 54n) - 1n;
  const napot = (base: number, size: number): bigint => (BigInt(base) >> 2n) | BigInt(size / 8 - 1);
  const attempt = (mode: 'M' | 'S', entries: readonly (readonly [bigint, bigint])[], lines: Line[]) => {
    const bench = createBench();
    const program = bench.load([...lines, ['.word', 0]]);
    bench.cpu.startHart(0, program.base, mode);
    let configuration = 0n;
    entries.forEach(([entryConfiguration, address], index) => {
      bench.cpu.pokeCsr(0, 0x3b0 + index, address);
      configuration |= entryConfiguration << BigInt(index * 8);
    });
    bench.cpu.pokeCsr(0, 0x3a0, configuration);
    bench.cpu.reportTraps(true);
    bench.answers.trap = () => bench.cpu.requestStop();
    bench.cpu.run(50);
    const trap = bench.traps[0];
    return trap === undefined || trap.cause === 2 ? 'done' : trap.cause;
  };
  const load: Line[] = [
    ['li', 's0', region],
    ['ld', 'a0', 0, 's0'],
  ];
  const store: Line[] = [
    ['li', 's0', region],
    ['sd', 'a0', 0, 's0'],
  ];
  const readOnly = [cfg('napot', 1), napot(region, 0x1000)] as const;
  assert.equal(attempt('S', [readOnly, [all, everywhere]], load), 'done');
  assert.equal(attempt('S', [readOnly, [all, everywhere]], store), 7);
  assert.equal(attempt('S', [[all, everywhere], readOnly], store), 'done', 'the lowest entry decides');
  assert.equal(attempt('M', [readOnly], store), 'done', 'M-mode passes what is not locked');
  assert.equal(attempt('M', [[cfg('napot', 1, true), napot(region, 0x1000)]], store), 7);
  assert.equal(attempt('M', [], store), 'done');
  const bytes = (entry = cfg('na4', 7)) =>
    [
      [entry, BigInt(region) >> 2n],
      [cfg('off', 0), 0n],
      [all, everywhere],
    ] as const;
  assert.equal(attempt('S', bytes(), load), 5, 'eight bytes match four only in part');
  assert.equal(
    attempt('S', bytes(), [
      ['li', 's0', region],
      ['lw', 'a0', 0, 's0'],
    ]),
    'done',
  );
  assert.equal(
    attempt('S', bytes(cfg('na4', 0)), [
      ['li', 's0', region + 4],
      ['lw', 'a0', 0, 's0'],
    ]),
    'done',
  );
  assert.equal(
    attempt('S', bytes(cfg('na4', 0)), [
      ['li', 's0', region],
      ['lw', 'a0', 0, 's0'],
    ]),
    5,
  );
  const range = [
    [cfg('off', 0), BigInt(region) >> 2n],
    [cfg('tor', 4), BigInt(region + 16) >> 2n],
    [all, everywhere],
  ] as const;
  assert.equal(attempt('S', range, load), 5);
  assert.equal(
    attempt('S', range, [
      ['li', 's0', region + 16],
      ['ld', 'a0', 0, 's0'],
    ]),
    'done',
  );
  assert.equal(
    attempt(
      'S',
      [readOnly, [all, everywhere]],
      [
        ['li', 's0', region],
        ['jr', 's0'],
      ],
    ),
    1,
  );
  const noCode = [
    [cfg('na4', 3), BigInt(ramBase + 8) >> 2n],
    [all, everywhere],
  ] as const;
  assert.equal(attempt('S', noCode, [['nop'], ['nop'], ['nop']]), 1, 'a region inside a page of code');
});

test('locked entries cannot be changed, nor the bound below a locked range', () => {
  const bench = createBench();
  bench.cpu.startHart(0, BigInt(ramBase), 'M');
  const { cpu } = bench;
  cpu.pokeCsr(0, 0x3b0, 0x100n);
  cpu.pokeCsr(0, 0x3b1, 0x200n);
  cpu.pokeCsr(0, 0x3a0, 0x8f00n);
  cpu.pokeCsr(0, 0x3b0, 0x111n);
  cpu.pokeCsr(0, 0x3b1, 0x222n);
  cpu.pokeCsr(0, 0x3a0, 0x1f1fn);
  assert.deepEqual([cpu.peekCsr(0, 0x3b0), cpu.peekCsr(0, 0x3b1), cpu.peekCsr(0, 0x3a0)], [0x100n, 0x200n, 0x8f1fn]);
  cpu.pokeCsr(0, 0x3a0, 2n);
  assert.equal((cpu.peekCsr(0, 0x3a0) ?? 0n) & 0xffn, 0n, 'writable without readable is reserved');
});
