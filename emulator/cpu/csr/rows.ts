// The CSR table: name, number, what a read shows and what a write may change. [RISC-V priv. 2.2, 3.1, 10.1; RISC-V unpriv. 20.2]
// The order of fields is the number's. Where a field is WARL, an illegal value leaves it as it was.
import { interruptBit } from '../contract';
import { baseExtensions, lowerModes } from '../extensions';
import type { CellName } from '../layout';
import { timeEnable } from '../system/direct';
import { environmentConfiguration as configuration, mstatus, privilege, satpMode } from '../system/status';
import { advancedInterruptRows } from './advanced-interrupts';
import { counterRows } from './counters';
import { protectionRows } from './protection';
import type { CsrHart, CsrRow } from './row';

const all = (1n << 64n) - 1n;

/** A CSR that is nothing but a cell. */
function cellRow(
  name: string,
  number: number,
  cell: CellName,
  masks: { readonly read?: bigint; readonly write?: bigint; readonly by?: CellName } = {},
  effect: 'none' | 'interrupts' | 'status' = 'none',
): CsrRow {
  const readMask = masks.read ?? all;
  const writeMask = masks.write ?? all;
  const { by } = masks;
  const existing = (hart: CsrHart): bigint => (by === undefined ? all : hart.state.get(by));
  return {
    name,
    number,
    direct: { cell, readMask, writeMask, effect, ...(by === undefined ? {} : { maskCell: by }) },
    read: (hart) => hart.state.get(cell) & readMask & existing(hart),
    write: (hart, value) => {
      const writable = writeMask & existing(hart);
      const old = hart.state.get(cell);
      let next = (old & ~writable) | (value & writable);
      if (effect === 'status' && (next & mstatus.MPP) === 2n << 11n) next = (next & ~mstatus.MPP) | (old & mstatus.MPP);
      hart.state.set(cell, next);
      if (effect === 'status') hart.statusChanged();
    },
  };
}

function constantRow(name: string, number: number, read: (hart: CsrHart) => bigint): CsrRow {
  return { name, number, read };
}

const sstatusFields = mstatus.SIE | mstatus.SPIE | mstatus.SPP | mstatus.FS | mstatus.SUM | mstatus.MXR;
const mstatusFields =
  sstatusFields | mstatus.MIE | mstatus.MPIE | mstatus.MPP | mstatus.MPRV | mstatus.TVM | mstatus.TW | mstatus.TSR;

/** Interrupts of S-mode, which M-mode may delegate and software may make pending. */
const supervisorInterrupts = 0x222n;
const allInterrupts = 0xaaan;
/** All exceptions that occur below M-mode: codes 0 to 9, 12, 13 and 15. */
const delegableExceptions = 0xb3ffn;

/** A reserved mode in the lowest two bits leaves the vector as it was. [RISC-V priv. 3.1.7] */
function vectorRow(name: string, number: number, cell: 'mtvec' | 'stvec'): CsrRow {
  return {
    name,
    number,
    read: ({ state }) => state.get(cell),
    write: ({ state }, value) => {
      if ((value & 3n) < 2n) state.set(cell, value);
    },
  };
}

function pendingInterrupts({ state }: CsrHart): bigint {
  return state.get('mip') | state.get('externalSupervisorInterrupt');
}

/** `csrrs` and `csrrc` leave out the external wire, lest they latch it. [RISC-V priv. 3.1.9] */
const mip: CsrRow = {
  name: 'mip',
  number: 0x344,
  read: pendingInterrupts,
  modifies: ({ state }) => state.get('mip'),
  write: ({ state }, value) => {
    // While the comparator drives STIP, software does not. [RISC-V priv. 3.1.9]
    const driven = (state.get('menvcfg') & configuration.STCE) === 0n ? 0n : 1n << BigInt(interruptBit.STIP);
    const writable = supervisorInterrupts & ~driven;
    state.set('mip', (state.get('mip') & ~writable) | (value & writable));
  },
};
const sip: CsrRow = {
  name: 'sip',
  number: 0x144,
  read: (hart) => pendingInterrupts(hart) & hart.state.get('mideleg'),
  write: ({ state }, value) => {
    const writable = 2n & state.get('mideleg');
    state.set('mip', (state.get('mip') & ~writable) | (value & writable));
  },
};

/** The time at which STIP becomes pending. [RISC-V priv. 12, Sstc] */
const stimecmp: CsrRow = {
  name: 'stimecmp',
  number: 0x14d,
  permits: ({ state }) =>
    state.getWord('mode') === privilege.M ||
    ((state.get('menvcfg') & configuration.STCE) !== 0n && (state.get('mcounteren') & timeEnable) !== 0n),
  read: ({ state }) => state.get('stimecmp'),
  write: (hart, value) => {
    hart.state.set('stimecmp', value);
    hart.timerChanged();
  },
};

const blockFields = configuration.FIOM | configuration.CBIE | configuration.CBCFE | configuration.CBZE;
const reservedInvalidation = 2n << 4n;

/** menvcfg or senvcfg. */
function environmentRow(name: 'menvcfg' | 'senvcfg', number: number, writable: bigint): CsrRow {
  return {
    name,
    number,
    read: ({ state }) => state.get(name),
    write: (hart, value) => {
      const old = hart.state.get(name);
      let next = value & writable;
      if ((next & configuration.CBIE) === reservedInvalidation)
        next = (next & ~configuration.CBIE) | (old & configuration.CBIE);
      hart.state.set(name, next);
      if (((next ^ old) & configuration.PBMTE) !== 0n) hart.flush();
      if (((next ^ old) & configuration.STCE) !== 0n) hart.timerChanged();
    },
  };
}

const satp: CsrRow = {
  name: 'satp',
  number: 0x180,
  direct: { cell: 'satp', readMask: all, writeMask: all, effect: 'translation' },
  permits: ({ state }) => !(state.getWord('mode') === privilege.S && (state.get('mstatus') & mstatus.TVM) !== 0n),
  read: ({ state }) => state.get('satp'),
  write: (hart, value) => {
    const mode = value >> 60n;
    if (mode !== satpMode.bare && (mode < satpMode.sv39 || mode > satpMode.sv57)) return;
    hart.state.set('satp', value);
    // Translations carry no address-space number.
    hart.flush();
  },
};

/** `fflags`, `frm` and `fcsr` are bits of one cell. */
function floatRow(name: string, number: number, mask: bigint, shift: number): CsrRow {
  return {
    name,
    number,
    direct: { cell: 'fcsr', readMask: mask, writeMask: mask, effect: 'float', shift },
    permits: ({ state }) => (state.get('mstatus') & mstatus.FS) !== 0n,
    read: ({ state }) => (state.get('fcsr') & mask) >> BigInt(shift),
    write: (hart, value) => {
      hart.state.set('fcsr', (hart.state.get('fcsr') & ~mask) | ((value << BigInt(shift)) & mask));
      hart.state.set('mstatus', hart.state.get('mstatus') | mstatus.FS);
      hart.statusChanged();
    },
  };
}

/** RV64 with these extensions and modes; it cannot be changed. */
const misa = [...baseExtensions, ...lowerModes].reduce(
  (bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 'a'.charCodeAt(0))),
  2n << 62n,
);

const zero = (): bigint => 0n;

export const csrRows: readonly CsrRow[] = [
  floatRow('fflags', 0x001, 0x1fn, 0),
  floatRow('frm', 0x002, 0xe0n, 5),
  floatRow('fcsr', 0x003, 0xffn, 0),

  cellRow(
    'sstatus',
    0x100,
    'mstatus',
    { read: sstatusFields | mstatus.UXL | mstatus.SD, write: sstatusFields },
    'status',
  ),
  cellRow('sie', 0x104, 'mie', { by: 'mideleg', write: supervisorInterrupts }, 'interrupts'),
  vectorRow('stvec', 0x105, 'stvec'),
  cellRow('scounteren', 0x106, 'scounteren', { write: 0xffff_ffffn }),
  environmentRow('senvcfg', 0x10a, blockFields),
  cellRow('sscratch', 0x140, 'sscratch'),
  cellRow('sepc', 0x141, 'sepc', { write: all & ~1n }),
  cellRow('scause', 0x142, 'scause'),
  cellRow('stval', 0x143, 'stval'),
  sip,
  stimecmp,
  satp,

  constantRow('mvendorid', 0xf11, zero),
  constantRow('marchid', 0xf12, zero),
  constantRow('mimpid', 0xf13, zero),
  constantRow('mhartid', 0xf14, ({ state }) => BigInt(state.index)),
  constantRow('mconfigptr', 0xf15, zero),
  cellRow('mstatus', 0x300, 'mstatus', { write: mstatusFields }, 'status'),
  { ...constantRow('misa', 0x301, () => misa) },
  cellRow('medeleg', 0x302, 'medeleg', { write: delegableExceptions }),
  cellRow('mideleg', 0x303, 'mideleg', { write: supervisorInterrupts }, 'interrupts'),
  cellRow('mie', 0x304, 'mie', { write: allInterrupts }, 'interrupts'),
  vectorRow('mtvec', 0x305, 'mtvec'),
  cellRow('mcounteren', 0x306, 'mcounteren', { write: 0xffff_ffffn }),
  environmentRow('menvcfg', 0x30a, blockFields | configuration.PBMTE | configuration.STCE),
  cellRow('mscratch', 0x340, 'mscratch'),
  cellRow('mepc', 0x341, 'mepc', { write: all & ~1n }),
  cellRow('mcause', 0x342, 'mcause'),
  cellRow('mtval', 0x343, 'mtval'),
  mip,
  ...protectionRows,
  // No trigger exists: every selection reads as one of type 0. [RISC-V debug 5.2]
  ...['tselect', 'tdata1', 'tdata2', 'tdata3'].map((name, index) => constantRow(name, 0x7a0 + index, zero)),
  ...counterRows,
  ...advancedInterruptRows,
];

/** mstatus after reset: the widths of S and U are fixed at 64 bits. */
export const resetStatus = mstatus.UXL | mstatus.SXL;
