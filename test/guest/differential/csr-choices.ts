// Which CSRs sequences touch, and what they may put there so that the harness survives and both machines define the outcome.
import { allInterrupts, delegableExceptions, status, supervisorInterrupts } from './context';

/** How a sequence may use a CSR. */
export interface CsrChoice {
  readonly name: string;
  readonly number: number;
  /**
   * `any`: every value may be written. `masked`: only these bits. `restored`: written, read back and put back at once, because the
   * harness depends on it. `read`: read only. `hidden`: read, and the value thrown away, because it differs between machines.
   * `environment`: menvcfg, which keeps what decides about STIP and page tables. `timer`: stimecmp, while it drives STIP.
   * `space`: satp, of which only the address space may change. `region`, `permissions`: protection of the window.
   */
  readonly use:
    'any' | 'masked' | 'restored' | 'read' | 'hidden' | 'environment' | 'timer' | 'space' | 'region' | 'permissions';
  /** For `masked` and `restored`: the bits that may be set. */
  readonly bits?: bigint;
}

const all = -1n;
const statusBits =
  status.SIE | status.SPIE | status.SPP | status.FS | status.SUM | status.MXR; // prettier-ignore
const machineStatusBits = statusBits | status.MIE | status.MPIE | status.MPRV | status.TVM | status.TW | status.TSR;

export const csrChoices: readonly CsrChoice[] = [
  { name: 'fflags', number: 0x001, use: 'any' },
  { name: 'frm', number: 0x002, use: 'any' },
  { name: 'fcsr', number: 0x003, use: 'any' },
  { name: 'cycle', number: 0xc00, use: 'hidden' },
  { name: 'time', number: 0xc01, use: 'hidden' },
  { name: 'instret', number: 0xc02, use: 'hidden' },
  { name: 'hpmcounter3', number: 0xc03, use: 'hidden' },
  { name: 'sstatus', number: 0x100, use: 'masked', bits: statusBits },
  { name: 'sie', number: 0x104, use: 'masked', bits: supervisorInterrupts },
  { name: 'stvec', number: 0x105, use: 'restored', bits: ~2n },
  { name: 'scounteren', number: 0x106, use: 'masked', bits: 15n },
  { name: 'senvcfg', number: 0x10a, use: 'masked', bits: 0xc1n },
  { name: 'sscratch', number: 0x140, use: 'any' },
  { name: 'sepc', number: 0x141, use: 'masked', bits: ~1n },
  { name: 'scause', number: 0x142, use: 'any' },
  { name: 'stval', number: 0x143, use: 'any' },
  { name: 'sip', number: 0x144, use: 'masked', bits: supervisorInterrupts },
  { name: 'stimecmp', number: 0x14d, use: 'timer' },
  { name: 'satp', number: 0x180, use: 'space' },
  { name: 'mvendorid', number: 0xf11, use: 'hidden' },
  { name: 'marchid', number: 0xf12, use: 'hidden' },
  { name: 'mimpid', number: 0xf13, use: 'hidden' },
  { name: 'mhartid', number: 0xf14, use: 'read' },
  { name: 'mstatus', number: 0x300, use: 'masked', bits: machineStatusBits },
  { name: 'misa', number: 0x301, use: 'read' },
  { name: 'medeleg', number: 0x302, use: 'masked', bits: delegableExceptions },
  { name: 'mideleg', number: 0x303, use: 'masked', bits: supervisorInterrupts },
  { name: 'mie', number: 0x304, use: 'masked', bits: allInterrupts },
  { name: 'mtvec', number: 0x305, use: 'restored', bits: ~2n },
  { name: 'mcounteren', number: 0x306, use: 'masked', bits: 15n },
  { name: 'menvcfg', number: 0x30a, use: 'environment' },
  { name: 'mcountinhibit', number: 0x320, use: 'masked', bits: 5n },
  { name: 'mscratch', number: 0x340, use: 'restored', bits: all },
  { name: 'mepc', number: 0x341, use: 'masked', bits: ~1n },
  { name: 'mcause', number: 0x342, use: 'any' },
  { name: 'mtval', number: 0x343, use: 'any' },
  { name: 'mip', number: 0x344, use: 'masked', bits: supervisorInterrupts },
  { name: 'pmpcfg0', number: 0x3a0, use: 'permissions' },
  { name: 'pmpcfg2', number: 0x3a2, use: 'masked', bits: 0x1d1d_1d1d_1d1d_1d1dn },
  { name: 'pmpaddr0', number: 0x3b0, use: 'region' },
  { name: 'pmpaddr2', number: 0x3b2, use: 'region' },
  { name: 'pmpaddr9', number: 0x3b9, use: 'region' },
  { name: 'mcycle', number: 0xb00, use: 'hidden' },
  { name: 'minstret', number: 0xb02, use: 'hidden' },
  { name: 'mhpmcounter3', number: 0xb03, use: 'hidden' },
  { name: 'mhpmevent3', number: 0x323, use: 'hidden' },
];

/** CSRs that exist on neither machine, in every range of privilege. */
export const absentCsrs: readonly number[] = [
  0x000, 0x004, 0x123, 0x1ff, 0x245, 0x480, 0x5c0, 0x800, 0x9c0, 0xc80, 0xcc0, 0xd00, 0xf00, 0xfc0,
];
