// Requests beyond the Debug Adapter Protocol, by which other editors reach what VS Code's views show. All names start with `ringside/`.
import type { PolicyEntry, PolicyOrigin, ViolationReport } from './target';

/** Numbers beyond 2^53 travel as `0x` text, as everywhere in the protocol. */
export type Plain<Type> = Type extends bigint
  ? string
  : Type extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : Type extends object
      ? { readonly [Key in keyof Type]: Plain<Type[Key]> }
      : Type;

export interface CustomRequests {
  'ringside/nextRingEvent': { arguments: { readonly device?: string }; body: undefined };
  /** The ways back need a history; like `nextRingEvent` they end with a `stopped` event. */
  'ringside/previousRingEvent': { arguments: { readonly device?: string }; body: undefined };
  'ringside/goToEvent': { arguments: { readonly index: number }; body: undefined };
  'ringside/goToLiveEnd': { arguments: Record<string, never>; body: undefined };
  'ringside/violations': {
    arguments: Record<string, never>;
    body: { readonly violations: readonly Plain<ViolationReport>[] };
  };
  'ringside/policy': { arguments: Record<string, never>; body: { readonly entries: readonly Plain<PolicyEntry>[] } };
  'ringside/setPolicy': {
    arguments: { readonly origin: PolicyOrigin; readonly entries: readonly PolicyEntry[] };
    body: undefined;
  };
  /** Stops when the guest stores to these bytes. `address` is guest-physical. */
  'ringside/breakWhenChanges': {
    arguments: { readonly address: string; readonly bytes: number };
    body: { readonly dataId: string };
  };
  /** What `ringside/breakWhenChanges` set; the client's own data breakpoints are not among them. */
  'ringside/dataBreakpoints': { arguments: Record<string, never>; body: { readonly dataIds: readonly string[] } };
  'ringside/removeDataBreakpoint': { arguments: { readonly dataId: string }; body: undefined };
}
export type CustomRequest = keyof CustomRequests;

export function toPlain<Type>(value: Type): Plain<Type> {
  return plain(value) as Plain<Type>;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

/** The arguments of `ringside/setPolicy`, or undefined when they are not that. */
export function parseSetPolicy(value: unknown): CustomRequests['ringside/setPolicy']['arguments'] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { origin, entries } = value as Readonly<Record<string, unknown>>;
  if ((origin !== 'filter' && origin !== 'tree' && origin !== 'mute') || !Array.isArray(entries)) return undefined;
  const parsed = entries.map(parseEntry);
  return parsed.every((entry) => entry !== undefined) ? { origin, entries: parsed } : undefined;
}

function parseEntry(value: unknown): PolicyEntry | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { pattern, action, device, condition } = value as Readonly<Record<string, unknown>>;
  if (typeof pattern !== 'string' || (action !== 'break' && action !== 'report' && action !== 'off')) return undefined;
  if (
    (device !== undefined && typeof device !== 'string') ||
    (condition !== undefined && typeof condition !== 'string')
  )
    return undefined;
  return { pattern, action, ...(device !== undefined && { device }), ...(condition !== undefined && { condition }) };
}
