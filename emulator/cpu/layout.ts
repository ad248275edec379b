// Where everything of the processor lies in its one linear memory: control words, harts, translation caches, decoded code, guest RAM.
// Offsets are in bytes. Generated code and TypeScript use the same names, so neither knows a number.

export const pageBytes = 4096;

/** Words shared by all harts, at fixed addresses from 0. */
export const control = {
  /** i32: instructions left before `execute` must come back. While an instruction executes, it is already subtracted. */
  budget: 8,
  /** i32: non-zero while `environment.trap` wants to hear of traps. */
  reportTraps: 12,
  /** i64: machine step at which the budget reaches 0. */
  budgetEnd: 16,
  /** i32: host address of the reserved 64-byte set, or 0. One hart runs at a time, so one reservation suffices. */
  reservation: 24,
  /** i64: machine step of the newest LR. */
  reservationStep: 32,
  /** i32: non-zero while there are breakpoints. */
  breakpoints: 40,
  /** i32: counts the compiled regions that were dropped. */
  dropped: 44,
} as const;

/** For each CSR number a byte: 0, or the index of its direct descriptor. */
export const csrIndex = 0x1000;
/** Direct descriptors of CSRs that generated code reads and writes by itself. */
export const csrDescriptor = {
  base: 0x2000,
  strideBytes: 32,
  capacity: 64,
  /** i32: offset of the cell in the hart. */
  cell: 0,
  /** i32: what a write entails, see `csrEffect`. */
  effect: 4,
  /** i64: bits that a read shows. */
  readMask: 8,
  /** i64: bits that a write changes. */
  writeMask: 16,
  /** i32: offset of a second cell whose value masks reads and writes as well; 0 when there is none. */
  maskCell: 24,
  /** i32: the CSR's bit 0 is this bit of the cell. */
  shift: 28,
} as const;
/**
 * `interrupts`: some may have become due. `status`: modes and translation change with mstatus. `float`: needs floating point switched
 * on, and marks it dirty. `translation`: satp. `time`: no cell, the environment knows.
 */
export const csrEffect = { none: 0, interrupts: 1, status: 2, float: 3, translation: 4, time: 5 } as const;

/** Decoded instructions that stand outside a page: those that straddle pages, lie outside RAM or stand on a breakpoint. */
export const looseRecords = { base: 0x3000, strideBytes: 64, count: 64 } as const;

export const hartsBase = 0x10000;

/** Cells that matter only while something executes, or follow from others. They are no part of a hart's state. */
const passingCells = [
  'scratch',
  'accessAddress',
  'physicalAddress',
  'faultCause',
  'dataTranslations',
  'fetchTranslations',
  'usedTranslations',
  'insertedTranslations',
  'lostReported',
] as const;
const stateCells = [
  'pc',
  'mode',
  'dataMode',
  'attempted',
  'trapped',
  'instretOffset',
  'cycleOffset',
  'trapStep',
  'largePages',
  'largePageBase',
  'largePageMask',
  'mxr',
  'mstatus',
  'medeleg',
  'mideleg',
  'mie',
  'mip',
  'externalSupervisorInterrupt',
  'mtvec',
  'mcounteren',
  'mcountinhibit',
  'mscratch',
  'mepc',
  'mcause',
  'mtval',
  'menvcfg',
  'stvec',
  'scounteren',
  'senvcfg',
  'sscratch',
  'sepc',
  'scause',
  'stval',
  'stimecmp',
  'satp',
  'fcsr',
  'miselect',
  'siselect',
  'machinePriorities0',
  'machinePriorities2',
  'supervisorPriorities0',
  'supervisorPriorities2',
  'prioritised',
  'pmpcfg0',
  'pmpcfg2',
  'pmpCount',
  'acquireStep',
  'releaseStep',
] as const;
const cellNames = [...passingCells, ...stateCells] as const;
export type CellName = (typeof cellNames)[number];

const xBytes = 33 * 8;
const fBytes = 32 * 8;
const cellsBase = xBytes + fBytes;

/** Offsets of the 64-bit cells of a hart. `x` comes first: predecoded operands are offsets from the hart. */
export const hartCell = {
  x: 0,
  /** Where writes to x0 go. */
  discardedX: 32 * 8,
  f: xBytes,
  ...(Object.fromEntries(cellNames.map((name, position) => [name, cellsBase + position * 8])) as Record<
    CellName,
    number
  >),
  /** Sixteen i64: `pmpaddr0..15`. */
  pmpaddr: 0x400,
  /** Sixteen regions derived from the PMP CSRs, see `pmpRegion`. */
  pmpRegions: 0x480,
  /** Sixteen i64 steps, predecessor class * 4 + successor class. */
  fenceSteps: 0x600,
  /** The state that is saved besides the registers: from the first state cell to here. */
  stateBase: cellsBase + passingCells.length * 8,
  stateEnd: 0x680,
  /** Addresses (i32) of the first exact entries that were filled since the last flush, `insertedTranslations` in number. */
  insertionLog: 0x700,
  insertionLogEntries: 32,
  /** What memory protection decided for whole pages below M-mode, see `pmpCache`. */
  pmpCache: 0x800,
  /** Translation caches, see `translation`. */
  translations: 0x1000,
  strideBytes: 0x18000,
} as const;

/** Direct-mapped by physical page: {i64 page address, i32 permissions}. An entry whose page is -1 is empty. */
export const pmpCache = { entries: 64, entryBytes: 16, page: 0, permissions: 8 } as const;
export const pmpRegion = { strideBytes: 24, first: 0, last: 8, permissions: 16 } as const;

/**
 * Direct-mapped translation caches. A table holds `entries` fast entries {i64 tag, i32 addend} that generated code probes inline,
 * followed by as many exact entries {i64 tag, i64 physical page} that survive whatever makes a page special (watched, clean, code,
 * MMIO). What the guest can observe depends on the exact entries only, so looking at a page never changes an execution.
 */
export const translation = {
  entries: 256,
  entryBytes: 16,
  tag: 0,
  addend: 8,
  exact: 4096,
  tableBytes: 8192,
  /** Data tables come in pairs, load then store, one pair for each of M, S, S with SUM, U. */
  dataSets: 4,
  dataSetBytes: 16384,
  store: 8192,
  /** Fetch tables: M, S, U. */
  fetchSets: 3,
  fetch: 4 * 16384,
  allBytes: 4 * 16384 + 3 * 8192,
} as const;

/** One predecoded instruction; a page of them is a slot. */
export const record = {
  bytes: 16,
  handler: 0,
  rd: 2,
  rs1: 4,
  rs2: 6,
  immediate: 8,
  bits: 12,
} as const;

/** 2048 halfwords, a record that leads to the next page, and the entries of compiled regions. */
const lastRecord = (pageBytes / 2) * record.bytes;
const regionEntries = lastRecord + record.bytes;
export const slotBytes = regionEntries + 128 * 4;

/** What a slot holds besides records, for the compiler. The first cells lie in its last record. */
export const slotRegion = {
  /** i32: arrivals left before the page's code is worth compiling; counts on below 0 where it never is. */
  heat: lastRecord + 4,
  /** i32: number of compiled regions of the page. */
  count: lastRecord + 8,
  /** For each entry number an i32: the function table index of its region, and above it the budget that the region needs. */
  entries: regionEntries,
  needShift: 16,
  functionMask: 0xffff,
} as const;
/** A record's handler number, and above it the number of the entry that stands there, or 0. */
export const entryShift = 9;
export const handlerMask = (1 << entryShift) - 1;
export const greatestEntry = 0xffff >> entryShift;

export interface MemoryLayout {
  readonly harts: number;
  readonly ramBase: number;
  readonly ramBytes: number;
  /** One byte of flags for each page of RAM. */
  readonly pageFlags: number;
  /** One i32 for each page of RAM: its slot's address, or 0. */
  readonly slotOfPage: number;
  readonly slots: number;
  readonly slotCount: number;
  readonly ram: number;
  readonly totalBytes: number;
}

const slotLimit = 1024;
/** What is left for guest RAM in a 32-bit linear memory. */
export const greatestRamBytes = 0xf000_0000;

export function layoutFor(harts: number, ramBase: number, ramBytes: number): MemoryLayout {
  const pages = ramBytes / pageBytes;
  const align = (address: number, to: number): number => Math.ceil(address / to) * to;
  const pageFlags = hartsBase + harts * hartCell.strideBytes;
  const slotOfPage = align(pageFlags + pages, 64);
  const slots = align(slotOfPage + pages * 4, pageBytes);
  const slotCount = Math.min(pages, slotLimit);
  const ram = align(slots + slotCount * slotBytes, 0x10000);
  const totalBytes = align(ram + ramBytes, 0x10000);
  return { harts, ramBase, ramBytes, pageFlags, slotOfPage, slots, slotCount, ram, totalBytes };
}

export function hartBase(index: number): number {
  return hartsBase + index * hartCell.strideBytes;
}
