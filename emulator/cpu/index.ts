// The processor's public face: RV64GC harts behind the contract. [RISC-V unpriv. 20240411; RISC-V priv. 20240411]
import type { Cpu, CpuEnvironment, CpuOptions } from './contract';
import { Processor } from './processor';

/**
 * Creates the harts, all stopped and reset. Throws RangeError where an option is out of range, and whatever the host throws when it
 * cannot provide the memory.
 */
export function createCpu(options: CpuOptions, environment: CpuEnvironment): Cpu {
  return new Processor(options, environment);
}

export type {
  BusAnswer,
  Cpu,
  CpuEnvironment,
  CpuOptions,
  FenceEpochs,
  InterruptName,
  PrivilegeMode,
  RunExit,
  TrapReport,
} from './contract';
