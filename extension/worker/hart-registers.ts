// A hart's registers in the shape that unwinding asks for, and guest memory as a hart sees it.
import type { Machine } from '../../emulator/machine';
import type { ReadMemory, RegisterFile } from '../symbols/contract';

/** A copy, so that frames stay valid while the machine goes on. */
export function registersOf(machine: Machine, hart: number): RegisterFile {
  const { cpu } = machine;
  const x = Array.from({ length: 32 }, (_, register) => cpu.readX(hart, register));
  const f = Array.from({ length: 32 }, (_, register) => cpu.readF(hart, register));
  return { pc: cpu.readPc(hart), x: (index) => x[index], f: (index) => f[index] };
}

const pageBytes = 4096n;

/** Bytes at virtual addresses of a hart, without side effects; as many as can be read in a row. Devices are not touched. */
export function readVirtual(machine: Machine, hart: number, address: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const virtual = BigInt.asUintN(64, address + BigInt(done));
    const inPage = Math.min(length - done, Number(pageBytes - (virtual % pageBytes)));
    const physical = machine.cpu.translate(hart, virtual);
    if (physical === undefined) break;
    const got = readPhysical(machine, physical, inPage);
    bytes.set(got, done);
    done += got.length;
    if (got.length < inPage) break;
  }
  return bytes.subarray(0, done);
}

/** RAM, or what devices show without being disturbed. */
export function readPhysical(machine: Machine, address: number, length: number): Uint8Array {
  if (machine.memory.contains(address, length)) return machine.memory.read(address, length);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = address + done;
    // Control registers answer only at their own width, so words are tried first.
    const size = at % 4 === 0 && length - done >= 4 ? 4 : 1;
    const value = machine.peek(at, size) ?? (size === 4 ? undefined : machine.peek(at, 1));
    if (value === undefined) break;
    for (let i = 0; i < size; i++) bytes[done + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    done += size;
  }
  return bytes.subarray(0, done);
}

/** Reads for unwinding and variables: all bytes or none. */
export function memoryReader(machine: Machine, hart: number): ReadMemory {
  return (address, length) => {
    const bytes = readVirtual(machine, hart, address, length);
    return bytes.length === length ? bytes : undefined;
  };
}

/** Writes as a debugger: an input, never a driver access. Returns how many bytes were written. */
export function writeVirtual(machine: Machine, hart: number, address: bigint, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const virtual = BigInt.asUintN(64, address + BigInt(done));
    const count = Math.min(bytes.length - done, Number(pageBytes - (virtual % pageBytes)));
    const physical = machine.cpu.translate(hart, virtual);
    if (physical === undefined || !machine.memory.contains(physical, count)) break;
    machine.change({ kind: 'memory', address: physical, bytes: bytes.slice(done, done + count) });
    done += count;
  }
  return done;
}
