// Where everything of the differential guest lies: shared by the generator, the harness (as assembler constants) and the comparison.
// Addresses are guest-physical, sizes and offsets in bytes.

export const ramBase = 0x8000_0000;
export const ramBytes = 64 << 20;

/** Where delegated traps go; the harness has it in direct and in vectored form. */
export const supervisorVectors = ramBase + 0x100;

/** Words through which the host and the harness talk. */
export const control = {
  base: 0x8000_8000,
  /** Address of the record to start with, address behind the last one, and where results go. The harness counts them up. */
  record: 0,
  end: 8,
  result: 16,
  /** Traps taken in the current sequence. */
  traps: 24,
  /** Registers at the newest trap, x0's slot first. */
  saved: 64,
} as const;

/**
 * Page tables of the mapped contexts: one table of each level, the first entries of each are in the record. Sv39 begins at `root`, Sv48 and
 * Sv57 at the tables above it.
 */
export const pageTables = {
  fifth: 0x8001_4000,
  fourth: 0x8001_3000,
  root: 0x8001_0000,
  middle: 0x8001_1000,
  leaf: 0x8001_2000,
} as const;
export const tableEntries = { fifth: 1, fourth: 1, root: 6, middle: 8, leaf: 16 } as const;
/** satp.MODE of each scheme and where it begins. */
export const schemes = [
  { mode: 8n, table: pageTables.root },
  { mode: 9n, table: pageTables.fourth },
  { mode: 10n, table: pageTables.fifth },
] as const;

/** Two pages; sequences may touch only the window over the boundary between them, which is set before and dumped after each. */
export const scratch = { firstPage: 0x8002_0000, window: 0x8002_0f00, windowBytes: 512 } as const;

export const recordsBase = 0x8010_0000;
export const codeBase = 0x8120_0000;
export const resultsBase = 0x8180_0000;
/** QEMU puts the device tree somewhere behind this. */
const deviceTreeBase = ramBase + (48 << 20);

/**
 * CSRs that are set before a sequence and dumped after it. `mepc` and `mstatus` are where the sequence starts. On QEMU, stimecmp drives mip
 * also while menvcfg does not let it: mip comes behind.
 */
export const stateCsrs = [
  'medeleg', 'mideleg', 'mie', 'menvcfg', 'stimecmp', 'mip', 'satp', 'mcounteren', 'scounteren', 'mcountinhibit', 'senvcfg', 'stvec', 'sscratch', 'sepc',
  'scause', 'stval', 'mcause', 'mtval', 'pmpaddr0', 'pmpaddr1', 'pmpaddr2', 'pmpaddr3', 'pmpcfg0', 'mepc', 'mstatus',
] as const; // prettier-ignore
export type StateCsr = (typeof stateCsrs)[number];

/** One sequence to run. */
export const record = {
  bytes: 0x600,
  x: 0,
  f: 0x100,
  /** 64-bit values of `stateCsrs`, in order. */
  csrs: 0x200,
  fcsr: 0x2d0,
  /** Address of the first instruction, and of the `ecall` behind the last one. */
  start: 0x2d8,
  end: 0x2e0,
  /** Root, middle and leaf entries. */
  entries: 0x300,
  scratch: 0x400,
} as const;

/** What a trap leaves in the log. */
export const trapFields = ['mcause', 'mepc', 'mtval', 'mstatus', 'scause', 'sepc', 'stval'] as const;
export const trapLimit = 10;

/** The state after a sequence. */
export const result = {
  bytes: 0x900,
  x: 0,
  f: 0x100,
  csrs: 0x200,
  fcsr: 0x2d0,
  trapCount: 0x2d8,
  entries: 0x300,
  scratch: 0x400,
  traps: 0x600,
  trapBytes: 64,
} as const;

/** Gigapage 3 shows RAM to U-mode at this distance from its physical address, where S-mode sees it at its own. */
export const userAlias = 0x4000_0000;

export const testFinisher = { address: 0x10_0000, pass: 0x5555 } as const;

export const greatestBatch = Math.min(
  Math.floor((codeBase - recordsBase) / record.bytes),
  Math.floor((deviceTreeBase - resultsBase) / result.bytes),
);

/** `-D` switches that give the harness these constants. */
export function assemblerConstants(): string[] {
  const constants: Record<string, number | string> = {
    CONTROL: control.base,
    CONTROL_RECORD: control.record,
    CONTROL_END: control.end,
    CONTROL_RESULT: control.result,
    CONTROL_TRAPS: control.traps,
    CONTROL_SAVED: control.saved,
    FIFTH_TABLE: pageTables.fifth,
    FOURTH_TABLE: pageTables.fourth,
    ROOT_TABLE: pageTables.root,
    MIDDLE_TABLE: pageTables.middle,
    LEAF_TABLE: pageTables.leaf,
    FIFTH_ENTRIES: tableEntries.fifth,
    FOURTH_ENTRIES: tableEntries.fourth,
    ROOT_ENTRIES: tableEntries.root,
    MIDDLE_ENTRIES: tableEntries.middle,
    LEAF_ENTRIES: tableEntries.leaf,
    WINDOW: scratch.window,
    WINDOW_WORDS: scratch.windowBytes / 8,
    STATE_CSRS: stateCsrs.join(','),
    RECORD_BYTES: record.bytes,
    RECORD_F: record.f,
    RECORD_CSRS: record.csrs,
    RECORD_FCSR: record.fcsr,
    RECORD_START: record.start,
    RECORD_END: record.end,
    RECORD_ENTRIES: record.entries,
    RECORD_SCRATCH: record.scratch,
    RESULT_BYTES: result.bytes,
    RESULT_F: result.f,
    RESULT_CSRS: result.csrs,
    RESULT_FCSR: result.fcsr,
    RESULT_TRAP_COUNT: result.trapCount,
    RESULT_ENTRIES: result.entries,
    RESULT_SCRATCH: result.scratch,
    RESULT_TRAPS: result.traps,
    TRAP_BYTES: result.trapBytes,
    TRAP_FIELDS: trapFields.join(','),
    TRAP_LIMIT: trapLimit,
    USER_ALIAS: userAlias,
    FINISHER: testFinisher.address,
    FINISHER_PASS: testFinisher.pass,
  };
  return Object.entries(constants).map(([name, value]) => `-D${name}=${value}`);
}
