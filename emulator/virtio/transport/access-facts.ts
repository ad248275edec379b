// What every transport says about an access in the same words: configuration space, defects, who did it. [virtio 1.4, 2.5]
import type { Accessor, AccessSize } from '../../bus/access';
import type { DriverOrigin, RegisterFact } from '../../record/events';
import type { MmioDefect } from './mmio-registers';

/** Which half of an access of 8 bytes this is. */
export type Half = 'low' | 'high' | undefined;

export function configFact(
  device: string,
  kind: 'read' | 'write',
  offset: number,
  size: AccessSize,
  value: bigint,
  field: string | undefined,
  half: Half,
): RegisterFact {
  // Accesses of 8 bytes were taken apart before.
  const width = size === 8 ? 4 : size;
  const known = kind === 'read' ? 'config-read' : 'config-write';
  const fact: RegisterFact = { kind: known, device, offset, size: width, value, field };
  return half === undefined ? fact : { ...fact, half };
}

/** For people: why an access is not served as meant. `bits` is the width that it should have had. */
export function defectText(
  register: { readonly name: string; readonly width: number } | undefined,
  offset: number,
  size: number,
  defect: MmioDefect,
): string {
  const place = register === undefined ? `offset 0x${offset.toString(16)}` : register.name;
  switch (defect) {
    case 'no-register':
      return `${place} was written, where there is no register`;
    case 'width':
      return `${place} was written with ${size} bytes, not as ${register?.width ?? 32} bits`;
    case 'read-only':
    case 'write-only':
      return `${place} was written, which is read-only`;
  }
}

export function origin(by: Accessor): DriverOrigin {
  return { by: 'driver', hart: by.hart, pc: by.pc };
}

/** A fact of a register, and whose instruction made it. */
export type DriverRegisterFact = RegisterFact & DriverOrigin;

/** Says in a fact that was just made who made it. */
export function byDriver(fact: Ownable, by: Accessor): DriverRegisterFact {
  own(fact, by);
  return fact;
}

type Ownable = RegisterFact & { -readonly [Field in keyof DriverOrigin]?: DriverOrigin[Field] };

function own(fact: Ownable, by: Accessor): asserts fact is Ownable & DriverRegisterFact {
  fact.by = 'driver';
  fact.hart = by.hart;
  fact.pc = by.pc;
}
