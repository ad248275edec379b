// Reading and writing protocol values. What a client sends is unknown until it was looked at.

export interface Fields {
  value(name: string): unknown;
  text(name: string): string | undefined;
  whole(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  list(name: string): readonly unknown[];
}

/** Fields of a message; an absent or differently typed one is undefined (an empty list). */
export function readFields(values: unknown): Fields {
  const fields: Readonly<Record<string, unknown>> =
    typeof values === 'object' && values !== null ? (values as Readonly<Record<string, unknown>>) : {};
  const value = (name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined);
  return {
    value,
    text: (name) => {
      const found = value(name);
      return typeof found === 'string' ? found : undefined;
    },
    whole: (name) => {
      const found = value(name);
      return typeof found === 'number' && Number.isSafeInteger(found) ? found : undefined;
    },
    flag: (name) => {
      const found = value(name);
      return typeof found === 'boolean' ? found : undefined;
    },
    list: (name) => {
      const found = value(name);
      return Array.isArray(found) ? (found as readonly unknown[]) : [];
    },
  };
}

export function memoryReference(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}

/** `0x…`, decimal, or `physical:0x…` for a guest-physical address. */
export function parseReference(text: string | undefined): {
  readonly address: bigint;
  readonly space: 'virtual' | 'physical';
} {
  const match = /^(physical:)?\s*(0x[0-9a-fA-F]{1,16}|\d{1,20})\s*$/.exec(text ?? '');
  if (match?.[2] === undefined)
    throw new Error(`"${text ?? ''}" is not an address; expected 0x80000000 or physical:0x80000000.`);
  return { address: BigInt.asUintN(64, BigInt(match[2])), space: match[1] === undefined ? 'virtual' : 'physical' };
}

/** Hexadecimal, decimal or negative text of a register value. */
export function parseValue(text: string): bigint {
  const clean = text.trim().replace(/_/g, '');
  const match = /^(-?)(0x[0-9a-fA-F]+|0b[01]+|\d+)$/.exec(clean);
  if (match?.[2] === undefined) throw new Error(`"${text}" is not a number; expected decimal, 0x… or 0b….`);
  const value = BigInt(match[2]);
  return match[1] === '-' ? -value : value;
}

/** A register's 64 bits, in groups of four digits. */
export function hexText(value: bigint, digits = 16): string {
  return `0x${BigInt.asUintN(64, value).toString(16).padStart(digits, '0')}`;
}
