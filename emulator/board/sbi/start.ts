// How a hart enters S-mode under the builtin SBI: the CSRs that M-mode firmware would have set. [RISC-V SBI 2.0, 9; RISC-V priv. 3.1]
import type { HartStart } from '../contract';

const csr = {
  mstatus: 0x300,
  medeleg: 0x302,
  mideleg: 0x303,
  mcounteren: 0x306,
  menvcfg: 0x30a,
  scounteren: 0x106,
  satp: 0x180,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
} as const;
const register = { a0: 10, a1: 11 } as const;

/** 64-bit S and U modes, floating point on as firmware leaves it, interrupts off. */
const startStatus = (2n << 34n) | (2n << 32n) | (3n << 13n);
/** Every exception except environment calls from S and M: nobody in M-mode could do better than the guest itself. */
const delegatedExceptions = 0xb1ffn;
/** SSIP, STIP and SEIP. */
const delegatedInterrupts = 0x222n;
/** cycle, time and instret. */
const counters = 7n;
/** stimecmp, memory types in page tables, and every operation on cache blocks. */
const environment = (1n << 63n) | (1n << 62n) | (1n << 7n) | (1n << 6n) | (3n << 4n);
/** One naturally aligned region over the whole address space, open for everything. [RISC-V priv. 3.7.1] */
const wholeMemory = { address: (1n << 54n) - 1n, configuration: 0x1fn } as const;

/** @param opaque what the caller of HSM hart_start passes on; the device tree for the first hart */
export function supervisorStart(hart: number, pc: bigint, opaque: bigint): HartStart {
  return {
    hart,
    pc,
    mode: 'S',
    registers: [
      [register.a0, BigInt(hart)],
      [register.a1, opaque],
    ],
    csrs: [
      [csr.mstatus, startStatus],
      [csr.medeleg, delegatedExceptions],
      [csr.mideleg, delegatedInterrupts],
      [csr.mcounteren, counters],
      [csr.menvcfg, environment],
      [csr.scounteren, counters],
      [csr.satp, 0n],
      [csr.pmpaddr0, wholeMemory.address],
      [csr.pmpcfg0, wholeMemory.configuration],
    ],
  };
}
