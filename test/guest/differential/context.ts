// The state in which a sequence starts: mode, translation, protection, interrupts, registers. Everything follows from the seed.
import { randomOperand } from '../../reference/float-operands';
import type { Random } from '../../reference/random';
import {
  pageTables,
  ramBase,
  ramBytes,
  schemes,
  scratch,
  type StateCsr,
  supervisorVectors,
  tableEntries,
  userAlias,
} from './layout';

export type Mode = 'M' | 'S' | 'U';

/** Fields of mstatus that sequences may set to anything. [RISC-V priv. 3.1.6] */
export const status = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: { U: 0n << 11n, S: 1n << 11n, M: 3n << 11n },
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
} as const;

/** Exceptions that may be delegated: not the harness's own ecall from S-mode, and not those that nothing here raises. */
export const delegableExceptions = 0xb1ffn & ~(1n << 9n);
export const supervisorInterrupts = 0x222n;
export const allInterrupts = 0xaaan;

export interface Context {
  readonly mode: Mode;
  /** satp of the mapped contexts, or 0. */
  readonly satp: bigint;
  readonly csrs: Record<StateCsr, bigint>;
  readonly fcsr: bigint;
  readonly x: bigint[];
  readonly f: bigint[];
  /** Entries of the tables, in their order. */
  readonly entries: bigint[];
  readonly scratch: Uint8Array;
  /** Registers that hold addresses inside the window. */
  readonly addressRegisters: readonly number[];
  /** Registers that no instruction of the sequence writes; the generator gives them values. */
  readonly constantRegisters: readonly number[];
}

/** Bits of a page-table entry. [RISC-V priv. 10.3.1, 11, 12] */
const entry = { V: 1n, R: 2n, W: 4n, X: 8n, U: 16n, G: 32n, A: 64n, D: 128n, PBMT: 3n << 61n, N: 1n << 63n } as const;
/** Fields of menvcfg. QEMU 7.2 takes memory types whatever PBMTE says, so it is always set. */
export const environment = {
  FIOM: 1n,
  CBIE: 3n << 4n,
  CBCFE: 1n << 6n,
  CBZE: 1n << 7n,
  PBMTE: 1n << 62n,
  STCE: 1n << 63n,
} as const;
export const timerInterrupt = 1n << 5n;
/** A time that never comes; what is added to it on the way to nanoseconds stays in 64 bits. */
export const farTime = 1n << 40n;
const leafOf = (address: number, flags: bigint): bigint => (BigInt(Math.floor(address / 4096)) << 10n) | flags;

/** Where nothing is mapped on either board. */
export const holeAddress = 0x0800_0000;
const badAddresses: readonly bigint[] = [
  BigInt(holeAddress),
  0x3ffffffffcn,
  0x4000000000n,
  0xffffffffc0000000n,
  0x00fffffffffffff8n,
];

/** Where nothing is mapped on either board: outside of QEMU's devices and of its high PCI window. */
export function isHole(physicalAddress: bigint): boolean {
  if (physicalAddress >= BigInt(holeAddress) && physicalAddress < BigInt(holeAddress) + 4096n) return true;
  return physicalAddress >= BigInt(ramBase + ramBytes) && (physicalAddress < 1n << 34n || physicalAddress >= 1n << 35n);
}

const firstLeaf = tableEntries.fifth + tableEntries.fourth + tableEntries.root + tableEntries.middle;

/** What an access that faulted led to: RAM, a place where nothing is, or what only QEMU has. */
export function placeOf({ mode, satp, entries }: Context, address: bigint): 'ram' | 'hole' | 'device' {
  const inRam = (physical: bigint): boolean => physical >= BigInt(ramBase) && physical < BigInt(ramBase + ramBytes);
  if (inRam(address)) return 'ram';
  const mapped = satp !== 0n && mode !== 'M';
  if (mapped && address >> 16n === 0x4000n) {
    const leaf = entries[firstLeaf + (Number(address >> 12n) % tableEntries.leaf)] ?? 0n;
    return isHole(((leaf >> 10n) & ((1n << 44n) - 1n)) << 12n) ? 'hole' : 'ram';
  }
  if (mapped && address >> 30n === 1n) return 'ram';
  if (mapped && address >> 30n < 5n) return (address & 0x3fff_ffffn) < BigInt(ramBytes) ? 'ram' : 'hole';
  return isHole(address) ? 'hole' : 'device';
}

/** Whether a protected region may end inside the window. */
export function isProtected({ csrs }: Context): boolean {
  return (csrs.pmpcfg0 & 0xff_ffffn) !== 0n;
}

export function randomInteger(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
      return random.pick([
        0n,
        1n,
        -1n,
        1n << 63n,
        (1n << 63n) - 1n,
        0x7fffffffn,
        0x80000000n,
        -(1n << 31n),
        0xffffffffn,
      ]);
    case 1:
      return BigInt(random.below(64)) - 16n;
    case 2:
      return random.bits(64) >> BigInt(random.below(64));
    case 3:
      return BigInt.asIntN(32, random.bits(32));
    default:
      return random.bits(64);
  }
}

export function randomContext(random: Random, startAt: (mode: Mode, mapped: boolean) => number): Context {
  const mode: Mode = random.weighted({ M: 30, S: 40, U: 30 });
  const mapped = random.below(mode === 'M' ? 4 : 2) === 0 || (mode !== 'M' && random.once(5));
  const scheme = random.pick(schemes);
  const satp = mapped ? (scheme.mode << 60n) | (random.bits(16) << 44n) | BigInt(scheme.table / 4096) : 0n;
  const registers = shuffled(
    random,
    Array.from({ length: 31 }, (_, index) => index + 1).filter((number) => number !== 2),
  );
  // Stack-relative forms need x2, most compressed forms one of x8 to x15.
  const near = registers.filter((number) => number >= 8 && number <= 15).slice(0, 2);
  const others = registers.filter((number) => !near.includes(number));
  const addressRegisters = [2, ...near, ...others.slice(0, 2)];
  // Not x1, which c.jalr writes.
  const constantRegisters = others
    .slice(2)
    .filter((register) => register !== 1)
    .slice(0, 5);

  const x = Array.from({ length: 32 }, () => randomInteger(random));
  x[0] = 0n;
  const base = mapped ? random.pick(windowViews(mode)) : scratch.window;
  for (const register of addressRegisters) {
    const offset = 128 + (random.once(3) ? random.below(256) : random.below(32) * 8);
    x[register] = BigInt(base + offset);
  }
  // Sequences touch memory with small offsets from x8 and above rarely only, so a bad address traps rarely.
  if (random.once(4)) x[addressRegisters[4] ?? 31] = random.pick(badAddresses);

  const start = startAt(mode, mapped);
  return {
    mode,
    satp,
    csrs: randomCsrs(random, mode, satp, start),
    fcsr: random.once(3) ? random.bits(8) : BigInt(random.below(5) << 5) | random.bits(1),
    x,
    f: Array.from({ length: 32 }, () => randomOperand(random, random.pick(['s', 'd', 'd']), [])),
    entries: randomEntries(random, mode),
    scratch: randomScratch(random),
    addressRegisters,
    constantRegisters,
  };
}

function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const rest = [...values];
  return values.map(() => rest.splice(random.below(rest.length), 1)).flat();
}

/** Virtual addresses of the window in the mapped contexts; the first ones are mapped by 4 KiB pages with random permissions. */
function windowViews(mode: Mode): number[] {
  const pairs = Array.from({ length: tableEntries.leaf / 2 }, (_, pair) => 0x4000_0f00 + pair * 0x2000);
  const gigapage = scratch.window + (mode === 'U' ? userAlias : 0);
  return [
    ...pairs,
    ...pairs,
    0x4020_0000 + (scratch.window & 0x1f_ffff),
    0x4040_0000 + (scratch.window & 0x1f_ffff),
    gigapage,
  ];
}

function randomEntries(random: Random, mode: Mode): bigint[] {
  const flags = (): bigint => {
    const permissions = random.pick([
      entry.R | entry.W,
      entry.R | entry.W,
      entry.R | entry.W,
      entry.R | entry.W | entry.X,
      entry.R,
      entry.R | entry.X,
      entry.X,
      entry.W,
      0n,
    ]);
    const user = random.below(6) > 0 === (mode === 'U') ? entry.U : 0n;
    return (
      permissions |
      user |
      (random.once(25) ? 0n : entry.V) |
      (random.once(4) ? 0n : entry.A) |
      (random.once(3) ? 0n : entry.D) |
      (random.bits(1) * entry.G) |
      (random.once(3) ? random.bits(2) << 8n : 0n) |
      // Of the memory types, 3 is reserved; QEMU 7.2 takes it.
      (random.once(6) ? BigInt(1 + random.below(2)) << 61n : 0n) |
      (random.once(40) ? entry.N : 0n)
    );
  };
  // Bits that a pointer to a table must not have spoil everything below it.
  const pointerTo = (table: number, spoilt: number): bigint => {
    const forbidden = [entry.U, entry.A, entry.D, entry.N, 1n << 61n, 1n << 62n] as const;
    return leafOf(table, entry.V | (random.once(spoilt) ? random.pick(forbidden) : 0n));
  };
  const sane = entry.V | entry.R | entry.W | entry.X;
  const accessed = (): bigint => random.bits(2) << 6n;
  // Without permissions it is a pointer, which must not lead to what is no table.
  const superpage = (address: number): bigint => {
    const bits = flags();
    return leafOf((bits & (entry.R | entry.W | entry.X)) === 0n ? pageTables.leaf : address, bits);
  };
  const root = [
    0n,
    pointerTo(pageTables.middle, 30),
    // Code and handlers run from these two gigapages.
    leafOf(0x8000_0000, sane | accessed()),
    leafOf(0x8000_0000, sane | entry.U | accessed()),
    superpage(0x8000_0000 + (random.once(2) ? 4096 : 0)),
    0n,
  ];
  const middle = [
    pointerTo(pageTables.leaf, 30),
    superpage(0x8000_0000),
    // A superpage must be aligned to its size.
    superpage(0x8000_0000 + (random.once(2) ? 4096 : 0)),
    0n,
    0n,
    0n,
    0n,
    0n,
  ];
  const leaf = Array.from({ length: tableEntries.leaf }, (_, index) => {
    // A range of 64 KiB shows the window at its first two pages only.
    if (index < 2 && random.once(3)) return leafOf(scratch.firstPage, flags() | entry.N) | rangeEnding(random);
    const page = random.once(40) ? holeAddress : scratch.firstPage + (index % 2) * 4096;
    return leafOf(page, flags());
  });
  return [pointerTo(pageTables.fourth, 60), pointerTo(pageTables.root, 60), ...root, ...middle, ...leaf];
}

/** What the page number of a range ends in: 8, or what is reserved. */
function rangeEnding(random: Random): bigint {
  return (random.once(8) ? random.bits(4) : 8n) << 10n;
}

/** menvcfg with every field random but those that decide what STIP and page tables mean. */
export function randomEnvironment(random: Random, kept: bigint): bigint {
  const invalidation = BigInt(random.pick([0, 1, 3])) << 4n;
  const others = random.bits(8) & (environment.FIOM | environment.CBCFE | environment.CBZE);
  return (kept & (environment.PBMTE | environment.STCE)) | invalidation | others;
}

function randomCsrs(random: Random, mode: Mode, satp: bigint, start: number): Record<StateCsr, bigint> {
  const pending = random.once(4);
  // While stimecmp drives STIP, no other interrupt is pending.
  const timed = random.once(6);
  const compare = random.pick([0n, farTime]);
  const due = compare === 0n ? timerInterrupt : 0n;
  const protect = random.once(4);
  const maybe = (bits: bigint, times: number): bigint => (random.once(times) ? bits : 0n);
  return {
    medeleg: random.once(2) ? random.bits(16) & delegableExceptions : 0n,
    mideleg: random.bits(12) & supervisorInterrupts & (random.once(2) ? -1n : 0n),
    mie: pending || timed || random.once(4) ? random.bits(12) & allInterrupts : 0n,
    menvcfg: randomEnvironment(random, environment.PBMTE | (timed ? environment.STCE : 0n)),
    stimecmp: compare,
    mip: timed ? due : pending ? 1n << BigInt(random.pick([1, 5, 9])) : 0n,
    satp,
    mcounteren: random.bits(4),
    scounteren: random.bits(4),
    mcountinhibit: random.once(4) ? random.bits(3) & 5n : 0n,
    senvcfg: randomEnvironment(random, 0n),
    stvec: BigInt(supervisorVectors) | random.bits(1),
    sscratch: randomInteger(random),
    sepc: randomInteger(random) & ~1n,
    scause: BigInt(random.below(16)),
    stval: randomInteger(random),
    mcause: BigInt(random.below(12)),
    mtval: randomInteger(random),
    ...randomProtection(random, protect),
    mepc: BigInt(start),
    mstatus:
      status.MPP[mode] |
      maybe(status.MPIE, 3) |
      maybe(status.SIE, 2) |
      maybe(status.SPIE, 2) |
      maybe(status.SPP, 2) |
      maybe(status.SUM, 2) |
      maybe(status.MXR, 2) |
      maybe(status.TVM, 8) |
      maybe(status.TW, 4) |
      maybe(status.TSR, 8) |
      (random.once(12) ? 0n : random.once(6) ? BigInt(1 + random.below(2)) << 13n : status.FS),
  };
}

type ProtectionCsr = Extract<StateCsr, `pmp${string}`>;

/** Entry 3 allows everything; the three before it may restrict parts of the window. [RISC-V priv. 3.7] */
function randomProtection(random: Random, protect: boolean): Record<ProtectionCsr, bigint> {
  const everything = (1n << 54n) - 1n;
  const regions = { pmpaddr0: 0n, pmpaddr1: 0n, pmpaddr2: 0n, pmpaddr3: everything };
  if (!protect) return { ...regions, pmpcfg0: 0x1f00_0000n };
  const [first, second, third] = [0, 0, 0].map(() => randomRegion(random)).sort((one, other) => Number(one - other));
  return {
    ...regions,
    pmpaddr0: first ?? 0n,
    pmpaddr1: second ?? 0n,
    pmpaddr2: third ?? 0n,
    pmpcfg0: randomPermissions(random),
  };
}

/** An address register that ends a region in the window, odd so that no region is smaller than an access. */
export function randomRegion(random: Random): bigint {
  const word = scratch.window / 4 + random.below(scratch.windowBytes / 4);
  return BigInt(word | (random.once(2) ? 1 : 2 ** (1 + random.below(5)) - 1));
}

/** pmpcfg0 with random first three entries. The first is no top-of-range one, as that would reach down to the harness. */
export function randomPermissions(random: Random): bigint {
  const off = 0;
  const topOfRange = 1 << 3;
  const powerOfTwo = 3 << 3;
  const matchings = [
    [off, powerOfTwo],
    [off, topOfRange, powerOfTwo],
    [off, topOfRange, powerOfTwo],
  ];
  return matchings.reduce((configuration, choices, index) => {
    const entry = random.pick([0, 1, 3, 3, 4, 5, 7]) | random.pick(choices);
    return configuration | (BigInt(entry) << BigInt(index * 8));
  }, 0x1f00_0000n);
}

function randomScratch(random: Random): Uint8Array {
  const bytes = new Uint8Array(scratch.windowBytes);
  const view = new DataView(bytes.buffer);
  for (let offset = 0; offset < bytes.length; offset += 8) {
    view.setBigUint64(
      offset,
      random.once(4) ? randomOperand(random, 'd', []) : BigInt.asUintN(64, randomInteger(random)),
      true,
    );
  }
  return bytes;
}
