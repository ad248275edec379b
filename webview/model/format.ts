// How numbers look in every view: grouped digits, addresses in groups of four, times with three significant figures.

/** Decimal with a comma between thousands: `48,211,907`. */
export function groupDigits(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Hexadecimal address in groups of four digits: `0x8020_0040`. At least `digits` digits. */
export function formatAddress(address: number | bigint, digits = 8): string {
  const hex = address.toString(16).padStart(digits, '0');
  return '0x' + hex.replace(/\B(?=([0-9a-f]{4})+(?![0-9a-f]))/g, '_');
}

/** Hexadecimal without groups, for register values: `0x0f`. */
export function formatHex(value: number | bigint, digits = 2): string {
  return '0x' + value.toString(16).padStart(digits, '0');
}

/** A duration for reading: `31 ns`, `0.61 µs`, `11.0 µs`, `30.52 ms`. From 100 ns on in microseconds, the ring's own scale. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds < 100) return `${Math.round(nanoseconds)} ns`;
  const units: readonly (readonly [number, string])[] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ];
  const [scale, unit] = units.find(([limit]) => nanoseconds >= limit) ?? [1e3, 'µs'];
  const value = nanoseconds / scale;
  return `${value >= 100 ? groupDigits(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2)} ${unit}`;
}

/** Virtual time for the title bar, in milliseconds down to the nanosecond: `48.211 907 ms`. */
export function formatClock(virtualNanoseconds: number): string {
  const whole = Math.floor(virtualNanoseconds / 1e6);
  const rest = Math.floor(virtualNanoseconds % 1e6)
    .toString()
    .padStart(6, '0');
  return `${groupDigits(whole)}.${rest.slice(0, 3)} ${rest.slice(3)} ms`;
}

/** A size in bytes in the largest binary unit that divides it: `4 KiB`, `512 bytes`. */
export function formatBytes(bytes: number): string {
  const units: readonly (readonly [number, string])[] = [
    [2 ** 40, 'TiB'],
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ];
  for (const [scale, unit] of units) {
    if (bytes >= scale && bytes % scale === 0) return `${groupDigits(bytes / scale)} ${unit}`;
  }
  return bytes === 1 ? '1 byte' : `${groupDigits(bytes)} bytes`;
}

/** `1 queue`, `2 queues`. */
export function countOf(count: number, one: string, many = one + 's'): string {
  return `${groupDigits(count)} ${count === 1 ? one : many}`;
}
