// Small words for findings: values as people and tools read them.
import type { DriverOrigin, VirtioEvent } from '../../record/events';
import type { Evidence, ViolationPlace } from '../violation';

/** `0x` text; negative numbers do not occur. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

export function seen(name: string, value: string | number | bigint): Evidence {
  return { name, value: typeof value === 'string' ? value : value.toString() };
}

/** The cell of a register in pictures. */
export function registerPlace(register: string): ViolationPlace {
  return { kind: 'register', register };
}

export const statusPlace: ViolationPlace = { kind: 'status' };
export const interruptPlace: ViolationPlace = { kind: 'interrupt' };

/** An event narrowed to one that a driver's instruction made; undefined for others. */
export function byDriver<E extends VirtioEvent>(event: E | undefined): (E & DriverOrigin) | undefined {
  return event !== undefined && isByDriver(event) ? event : undefined;
}
function isByDriver<E extends VirtioEvent>(event: E): event is E & DriverOrigin {
  return event.by === 'driver';
}
