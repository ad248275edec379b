// Copies of the watchers' plain state, for snapshots. Frozen parts (recorded events, violations) are shared: nobody can change them.

/** A copy that shares no part that can change. Knows objects, arrays, maps and sets of plain data. */
export function copyOf<T>(value: T): T;
export function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => copyOf(item));
  if (value instanceof Map) return new Map([...value].map(([key, item]: [unknown, unknown]) => [key, copyOf(item)]));
  if (value instanceof Set) return new Set(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]: [string, unknown]) => [key, copyOf(item)]));
}
