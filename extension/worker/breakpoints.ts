// The breakpoints of a session: where they are, when they count, what a stop at them means.
import type { BreakpointBinding, FunctionBreakpoint, InstructionBreakpoint, SourceBreakpoint } from '../debug/target';
import type { GuestSymbols } from './guest-symbols';

interface Placed {
  readonly id: number;
  readonly origin: string;
  readonly addresses: readonly bigint[];
  readonly condition: string | undefined;
  readonly hitCondition: string | undefined;
  readonly logMessage: string | undefined;
  hits: number;
}

export type Arrival =
  | { readonly kind: 'stop'; readonly ids: readonly number[] }
  | { readonly kind: 'go on'; readonly log: readonly string[] };

/** Evaluates an expression in the innermost frame of the hart that arrived; an error is an answer, too. */
export type Evaluate = (
  expression: string,
) =>
  | { readonly ok: true; readonly text: string; readonly truth: boolean }
  | { readonly ok: false; readonly message: string };

export class BreakpointTable {
  private placed: Placed[] = [];

  /** Every address with a breakpoint. */
  addresses(): readonly bigint[] {
    return [...new Set(this.placed.flatMap((one) => one.addresses))];
  }

  setSource(
    symbols: GuestSymbols,
    file: string,
    breakpoints: readonly SourceBreakpoint[],
  ): readonly BreakpointBinding[] {
    this.forget(`source ${file}`);
    return breakpoints.map((breakpoint) => {
      const found = symbols.addressesOf(file, breakpoint.line);
      const addresses = found.map((one) => one.address);
      this.place(`source ${file}`, breakpoint, addresses, breakpoint.logMessage);
      const first = found[0];
      if (first === undefined) {
        const message = !symbols.hasLines
          ? 'The guest has no line tables: build it with -g, or give an ELF file with debug information as "program" or "symbols".'
          : symbols.knowsFile(file)
            ? `No code on line ${breakpoint.line} or behind it in this file.`
            : 'The debug information of the guest does not mention this file.';
        return { id: breakpoint.id, verified: false, message, addresses: [] };
      }
      return { id: breakpoint.id, verified: true, source: { file, line: first.line, column: first.column }, addresses };
    });
  }

  setInstruction(breakpoints: readonly InstructionBreakpoint[]): readonly BreakpointBinding[] {
    this.forget('instruction');
    return breakpoints.map((breakpoint) => {
      if (breakpoint.address % 2n !== 0n) {
        return { id: breakpoint.id, verified: false, message: 'Instructions start at even addresses.', addresses: [] };
      }
      this.place('instruction', breakpoint, [breakpoint.address], undefined);
      return { id: breakpoint.id, verified: true, addresses: [breakpoint.address] };
    });
  }

  setFunction(symbols: GuestSymbols, breakpoints: readonly FunctionBreakpoint[]): readonly BreakpointBinding[] {
    this.forget('function');
    return breakpoints.map((breakpoint) => {
      const addresses = symbols.functionStarts(breakpoint.name);
      const [address] = addresses;
      if (address === undefined)
        return {
          id: breakpoint.id,
          verified: false,
          message: `No symbol "${breakpoint.name}" in the guest.`,
          addresses: [],
        };
      this.place('function', breakpoint, addresses, undefined);
      const line = symbols.lineAt(address);
      return { id: breakpoint.id, verified: true, ...(line !== undefined && { source: line }), addresses };
    });
  }

  /** A hart stands on `pc`: which breakpoints count there. A condition that cannot be evaluated stops, so that nobody waits in vain. */
  arrive(pc: bigint, evaluate: Evaluate): Arrival {
    const ids: number[] = [];
    const log: string[] = [];
    for (const one of this.placed) {
      if (!one.addresses.includes(pc)) continue;
      if (one.condition !== undefined) {
        const result = evaluate(one.condition);
        if (result.ok && !result.truth) continue;
        if (!result.ok) log.push(`breakpoint condition "${one.condition}": ${result.message}`);
      }
      one.hits++;
      if (one.hitCondition !== undefined && !hitCounts(one.hitCondition, one.hits)) continue;
      if (one.logMessage === undefined) ids.push(one.id);
      else log.push(fillIn(one.logMessage, evaluate));
    }
    return ids.length > 0 ? { kind: 'stop', ids } : { kind: 'go on', log };
  }

  /** Which ones stop a run that meets `pc` backwards: hits are not counted there, and nothing is logged. */
  standing(pc: bigint, evaluate: Evaluate): readonly number[] {
    return this.placed
      .filter(({ addresses, condition, logMessage }) => {
        if (!addresses.includes(pc) || logMessage !== undefined) return false;
        const result = condition === undefined ? undefined : evaluate(condition);
        return result?.ok !== true || result.truth;
      })
      .map(({ id }) => id);
  }

  resetHits(): void {
    for (const one of this.placed) one.hits = 0;
  }

  private place(
    origin: string,
    breakpoint: { readonly id: number; readonly condition?: string; readonly hitCondition?: string },
    addresses: readonly bigint[],
    logMessage: string | undefined,
  ): void {
    const { id, condition, hitCondition } = breakpoint;
    this.placed.push({
      id,
      origin,
      addresses,
      condition: condition === '' ? undefined : condition,
      hitCondition: hitCondition === '' ? undefined : hitCondition,
      logMessage,
      hits: 0,
    });
  }
  private forget(origin: string): void {
    this.placed = this.placed.filter((one) => one.origin !== origin);
  }
}

/** `5` (the fifth), `>5`, `>=5`, `<5`, `<=5`, `==5`, `%3` (every third). */
export function hitCounts(condition: string, hits: number): boolean {
  const match = /^\s*(>=|<=|==|=|>|<|%)?\s*(\d+)\s*$/.exec(condition);
  if (match === null) return true;
  const number = Number(match[2]);
  switch (match[1]) {
    case '>':
      return hits > number;
    case '>=':
      return hits >= number;
    case '<':
      return hits < number;
    case '<=':
      return hits <= number;
    case '%':
      return number > 0 && hits % number === 0;
    default:
      return hits === number;
  }
}

function fillIn(message: string, evaluate: Evaluate): string {
  return message.replace(/\{([^{}]+)\}/g, (_, expression: string) => {
    const result = evaluate(expression);
    return result.ok ? result.text : `{${result.message}}`;
  });
}
