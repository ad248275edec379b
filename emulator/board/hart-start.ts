// Puts a hart where a boot plan or the SBI wants it.
import type { Cpu } from '../cpu/contract';
import type { HartStart } from './contract';

/** @throws Error when the processor lacks a CSR that the start sets */
export function applyHartStart(cpu: Cpu, start: HartStart): void {
  // First, because starting clears what the hart held.
  cpu.startHart(start.hart, start.pc, start.mode);
  for (const [number, value] of start.csrs) {
    if (!cpu.pokeCsr(start.hart, number, value)) {
      throw new Error(`the processor refuses CSR 0x${number.toString(16)}, which starting hart ${start.hart} needs`);
    }
  }
  for (const [register, value] of start.registers) cpu.writeX(start.hart, register, value);
}
