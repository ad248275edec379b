// What happens when a rule is broken: one table from patterns to break, report or off. The launch attribute `rules`, the command
// line, exception filters, the tree and mutes all edit this table. [design: rule policy]
// Guarantees: the most specific pattern wins; among equals the last. A policy never changes what a guest sees.
import { familyNames, type Rule } from '../rules';
import type { RuleLevel } from '../violation';

export type PolicyAction = 'break' | 'report' | 'off';

/** One row of the table. */
export interface PolicyEntry {
  /** A rule's id, a family, a glob over ids and families (`split.*`), a level (`must`) or `*`. */
  readonly pattern: string;
  /** Only for this device. */
  readonly device?: string | undefined;
  /** Only for violations blamed on this instruction. */
  readonly pc?: bigint | undefined;
  readonly action: PolicyAction;
  /** Only for `break`: an expression over the violation; false means report. Evaluated by whoever owns the language. */
  readonly condition?: string | undefined;
  /** Who wrote the entry, so that it can be listed and removed again. */
  readonly source?: 'launch' | 'filter' | 'tree' | 'mute' | undefined;
}

/** What a pattern can name about a rule. */
export interface RuleNames {
  readonly id: string;
  readonly family: string;
  readonly level: RuleLevel;
}

export interface PolicyDecision {
  readonly action: PolicyAction;
  readonly condition: string | undefined;
}

export interface PolicyProblem {
  readonly pattern: string;
  /** What was expected and found, with the nearest known names. */
  readonly message: string;
}

/** `must` breaks, `should` and `hazard` report. */
export const defaultPolicy: readonly PolicyEntry[] = [
  { pattern: 'must', action: 'break' },
  { pattern: 'should', action: 'report' },
  { pattern: 'hazard', action: 'report' },
];

const actions: readonly PolicyAction[] = ['break', 'report', 'off'];
const levels: readonly RuleLevel[] = ['must', 'should', 'hazard'];

/** The table in force. */
export class RulePolicy {
  private list: PolicyEntry[];
  private changes = 0;

  constructor(
    private readonly catalogue: readonly Rule[],
    entries: readonly PolicyEntry[] = [],
  ) {
    this.list = [...defaultPolicy, ...entries];
  }

  /** The rows in force, defaults first. */
  get entries(): readonly PolicyEntry[] {
    return this.list;
  }

  /** Changes whenever a row does. */
  get revision(): number {
    return this.changes;
  }

  /** Adds a row at the end; a row with the same pattern, device, pc and source is replaced. */
  set(entry: PolicyEntry): void {
    this.list = [...this.list.filter((old) => !sameScope(old, entry)), entry];
    this.changes++;
  }

  /** Takes rows out. Returns how many there were. */
  remove(matches: (entry: PolicyEntry) => boolean): number {
    const before = this.list.length;
    this.list = this.list.filter((entry) => !matches(entry));
    this.changes++;
    return before - this.list.length;
  }

  /** Replaces every row that came from `source`. */
  replace(source: NonNullable<PolicyEntry['source']>, entries: readonly PolicyEntry[]): void {
    this.list = [
      ...this.list.filter((entry) => entry.source !== source),
      ...entries.map((entry) => ({ ...entry, source })),
    ];
    this.changes++;
  }

  /** What to do about a violation of `rule` on `device` blamed on `pc`. */
  decide(rule: RuleNames, device: string, pc: bigint): PolicyDecision {
    let best: PolicyEntry | undefined;
    let bestRank = -1;
    for (const entry of this.list) {
      if (entry.device !== undefined && entry.device !== device) continue;
      if (entry.pc !== undefined && entry.pc !== pc) continue;
      const rank = specificity(entry, rule);
      if (rank >= bestRank) {
        best = entry;
        bestRank = rank;
      }
    }
    return { action: best?.action ?? 'report', condition: best?.condition };
  }

  /** Whether a rule is off on a device whatever instruction it blames, so that it need not be judged there. */
  isOff(rule: RuleNames, device: string): boolean {
    const wanted = this.list.some(
      (entry) =>
        entry.pc !== undefined &&
        entry.action !== 'off' &&
        (entry.device === undefined || entry.device === device) &&
        specificity(entry, rule) >= 0,
    );
    return !wanted && this.decide(rule, device, noPc).action === 'off';
  }

  /** What one rule does by itself, for check boxes: no device, no pc. */
  actionOf(id: string): PolicyAction {
    const rule = this.catalogue.find((row) => row.id === id);
    if (rule === undefined) throw new RangeError(`no rule has the id "${id}"${near(id, this.catalogue)}`);
    return this.decide(rule, '', noPc).action;
  }
}

/**
 * Reads the table of a launch configuration (`{"must": "break", "split.*@vda": "off"}`) or of a command line
 * (`must=report,status.*@0x80001234=off`). A pattern may end in `@device` or `@0xpc`.
 */
export function parsePolicy(
  text: string | Readonly<Record<string, unknown>>,
  catalogue: readonly Rule[],
): { readonly entries: readonly PolicyEntry[]; readonly problems: readonly PolicyProblem[] } {
  const entries: PolicyEntry[] = [];
  const problems: PolicyProblem[] = [];
  for (const [key, action] of typeof text === 'string' ? splitSpec(text) : Object.entries(text)) {
    const entry = parseEntry(key, action, catalogue);
    if ('message' in entry) problems.push(entry);
    else entries.push(entry);
  }
  return { entries, problems };
}

function splitSpec(text: string): (readonly [string, unknown])[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.lastIndexOf('=');
      return equals < 0
        ? ([part, undefined] as const)
        : ([part.slice(0, equals).trim(), part.slice(equals + 1).trim()] as const);
    });
}

function parseEntry(key: string, action: unknown, catalogue: readonly Rule[]): PolicyEntry | PolicyProblem {
  const at = key.indexOf('@');
  const pattern = at < 0 ? key : key.slice(0, at);
  const scope = at < 0 ? undefined : key.slice(at + 1);
  const known = actions.find((name) => name === action);
  if (known === undefined) {
    const found = action === undefined ? 'nothing' : JSON.stringify(action);
    return { pattern: key, message: `rule pattern "${key}" needs one of ${actions.join(', ')}, found ${found}` };
  }
  if (pattern === '' || scope === '') {
    return {
      pattern: key,
      message: `rule pattern "${key}" is incomplete: write a rule, family, glob or level, then @device or @0xpc if wanted`,
    };
  }
  if (!isKnownPattern(pattern, catalogue)) {
    return {
      pattern: key,
      message: `rule pattern "${pattern}" matches no rule, family or level${near(pattern, catalogue)}`,
    };
  }
  if (scope !== undefined && /^0x/i.test(scope)) {
    if (!/^0x[0-9a-f]{1,16}$/i.test(scope)) {
      return {
        pattern: key,
        message: `rule pattern "${key}" has the pc "${scope}", expected 0x and up to 16 hexadecimal digits`,
      };
    }
    return { pattern, pc: BigInt(scope), action: known };
  }
  return scope === undefined ? { pattern, action: known } : { pattern, device: scope, action: known };
}

function isKnownPattern(pattern: string, catalogue: readonly Rule[]): boolean {
  if (pattern === '*' || levels.some((level) => level === pattern) || familyNames.some((name) => name === pattern))
    return true;
  if (!pattern.includes('*')) return catalogue.some((row) => row.id === pattern);
  const glob = globOf(pattern);
  return (
    familyNames.some((name) => glob.test(`${name}.`) || glob.test(name)) ||
    catalogue.some((row) => matchesGlob(glob, row))
  );
}

/** The names nearest to a mistyped one, as the end of a sentence. */
function near(pattern: string, catalogue: readonly Rule[]): string {
  const bare = pattern.replaceAll('*', '');
  const names = [...catalogue.map((row) => row.id), ...familyNames, ...levels];
  const ranked = names
    .map((name) => ({ name, distance: distanceTo(bare, name) }))
    .filter(
      ({ name, distance }) =>
        distance <= Math.max(2, Math.floor(name.length / 3)) || (bare !== '' && name.includes(bare)),
    )
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => `"${name}"`);
  return ranked.length === 0 ? `; families are ${familyNames.join(', ')}` : `; near names: ${ranked.join(', ')}`;
}

/** Edits (insert, delete, replace) between two short texts. */
function distanceTo(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function globOf(pattern: string): RegExp {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`);
}

function matchesGlob(glob: RegExp, rule: Omit<RuleNames, 'level'>): boolean {
  return glob.test(rule.id) || glob.test(rule.family) || glob.test(`${rule.family}.${rule.id}`);
}

/** How specific an entry is for a rule; -1 when it does not match. Scope counts more than the pattern. */
function specificity(entry: PolicyEntry, rule: RuleNames): number {
  const pattern = patternRank(entry.pattern, rule);
  if (pattern < 0) return -1;
  // Whatever anybody says, be it `*`, is more than the default.
  if (defaultPolicy.includes(entry)) return 0;
  return 1 + pattern + (entry.device === undefined ? 0 : 10) + (entry.pc === undefined ? 0 : 20);
}

function patternRank(pattern: string, rule: RuleNames): number {
  if (pattern === rule.id) return 4;
  if (pattern === rule.family) return 3;
  if (pattern === rule.level) return 1;
  if (pattern === '*') return 0;
  return pattern.includes('*') && matchesGlob(globOf(pattern), rule) ? 2 : -1;
}

/** No instruction lies here: rows for one pc never match. */
const noPc = -1n;

function sameScope(a: PolicyEntry, b: PolicyEntry): boolean {
  return a.pattern === b.pattern && a.device === b.device && a.pc === b.pc && a.source === b.source;
}
