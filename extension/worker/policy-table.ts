// The rule policy of a session, gathered from everybody who may set it. Later origins win among equally specific entries.
import type { PolicyEntry } from '../debug/target';

/** In the order in which they overrule each other; origins that are not listed come last. */
const order = ['launch', 'exception filters', 'tree', 'mutes'];

export class PolicyTable {
  private readonly origins = new Map<string, readonly PolicyEntry[]>();

  set(origin: string, entries: readonly PolicyEntry[]): void {
    this.origins.set(origin, entries);
  }

  entries(): readonly PolicyEntry[] {
    const rank = (origin: string): number => (order.includes(origin) ? order.indexOf(origin) : order.length);
    return [...this.origins].sort(([a], [b]) => rank(a) - rank(b)).flatMap(([, entries]) => entries);
  }
}
