// Data breakpoints on a machine: where they lie in guest-physical memory, and which one an access hit.
import type { Machine } from '../../emulator/machine';
import type { BreakpointBinding, DataBreakpoint } from '../debug/target';

export class DataBreakpointTable {
  private wanted: readonly DataBreakpoint[] = [];

  set(wanted: readonly DataBreakpoint[]): void {
    this.wanted = wanted;
  }

  /** Places them as memory is mapped now. */
  place(machine: Machine): readonly BreakpointBinding[] {
    const places = this.wanted.map((one) => ({ one, physical: physicalOf(machine, one) ?? -1 }));
    const usable = places.filter(({ one, physical }) => machine.memory.contains(physical, one.lengthBytes));
    machine.setWatchpoints(
      usable.map(({ one, physical }) => ({
        address: physical,
        lengthBytes: one.lengthBytes,
        load: one.access !== 'write',
        store: one.access !== 'read',
      })),
    );
    return places.map(({ one, physical }, index) => {
      const verified = machine.memory.contains(physical, one.lengthBytes);
      return {
        id: index,
        verified,
        ...(!verified && { message: `0x${one.address.toString(16)} is not in RAM now.` }),
        addresses: [one.address],
      };
    });
  }

  /** The one that covers bytes at a guest-physical address. */
  find(machine: Machine, physicalAddress: number, size: number): DataBreakpoint | undefined {
    return this.wanted.find((one) => {
      const physical = physicalOf(machine, one);
      return (
        physical !== undefined && physical < physicalAddress + size && physicalAddress < physical + one.lengthBytes
      );
    });
  }
}

function physicalOf(machine: Machine, { address, space }: DataBreakpoint): number | undefined {
  return space === 'physical' ? Number(address) : machine.cpu.translate(0, address);
}
