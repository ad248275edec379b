// Copies of the watchers' plain state, for snapshots. What nobody changes (recorded events, violations) is shared.
import { isStamped } from '../../record/stamp';

/** A copy that shares no part that can change. Knows objects, arrays, maps and sets of plain data. */
export function copyOf<T>(value: T): T;
export function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isShared(value)) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => copyOf(item));
  if (value instanceof Map) return new Map([...value].map(([key, item]: [unknown, unknown]) => [key, copyOf(item)]));
  if (value instanceof Set) return new Set(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]: [string, unknown]) => [key, copyOf(item)]));
}

function isShared(value: object): boolean {
  return isStamped(value) || Object.isFrozen(value);
}
