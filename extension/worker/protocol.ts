// The messages between a session in a worker thread and its owner. Everything in them is structured-clonable: plain data, bigint, bytes.
import type { DebugTarget, TargetEvent } from '../debug/target';
import type { InspectionSource } from './inspection-source';

/** What can be called across the thread: every method of a session that answers with a promise. */
export type Served = Omit<DebugTarget, 'onEvent'> & InspectionSource;
export type Method = keyof Served;

/** Calls that may cross; anything else is refused, whatever its name. */
export const methods: readonly Method[] = [
  'launch', 'resume', 'pause', 'step', 'nextRingEvent', 'previousRingEvent', 'stepBack', 'reverseContinue',
  'goToEvent', 'goToLiveEnd', 'restart', 'terminate',
  'setSourceBreakpoints', 'setInstructionBreakpoints', 'setFunctionBreakpoints', 'setDataBreakpoints', 'breakpointLines',
  'harts', 'backtrace', 'registers', 'writeRegister', 'scopes', 'variables', 'evaluate', 'assign', 'readMemory', 'writeMemory',
  'disassemble', 'addressesOf', 'setPc', 'ruleFamilies', 'policy', 'setPolicy', 'violations', 'consoleInput', 'inspect', 'events',
]; // prettier-ignore

/** Owner to worker. */
export interface Call {
  readonly id: number;
  readonly method: Method;
  readonly values: readonly unknown[];
}

/** Worker to owner. */
export type Answer =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly message: string; readonly problems?: readonly string[] }
  | { readonly kind: 'event'; readonly event: TargetEvent };

export interface WorkerData {
  /** One word of shared memory: non-zero asks a running machine to come back; undefined where memory cannot be shared. */
  readonly stopWord: Int32Array | undefined;
}

export function isCall(value: unknown): value is Call {
  if (typeof value !== 'object' || value === null) return false;
  const { id, method, values } = value as Readonly<Record<string, unknown>>;
  return (
    typeof id === 'number' &&
    typeof method === 'string' &&
    (methods as readonly string[]).includes(method) &&
    Array.isArray(values)
  );
}
