// Functions, the functions inlined into them, and lexical blocks, by address. [DWARF 5, 3.3 to 3.5]
// A unit's functions are listed once; the tree below one function is built when an address in it is first asked for.
import { MalformedInput } from '../bytes';
import { ParsedCache } from './cache';
import { at, tag } from './constants';
import { IntervalIndex } from './intervals';
import { rangesOf, type Range } from './ranges';
import type { DebugInformation, Entry, Unit } from './units';

/** A function, an inlined function or a block, with what is declared directly in it. */
export interface Scope {
  readonly entry: Entry;
  readonly kind: 'function' | 'inlined' | 'block';
  readonly ranges: readonly Range[];
  readonly parent: Scope | undefined;
  readonly children: readonly Scope[];
  /** Parameters and variables. */
  readonly variables: readonly Entry[];
  /** Offset of the abstract instance, which carries name and type. */
  readonly origin: number | undefined;
}

interface FunctionList {
  readonly entries: readonly number[];
  readonly index: IntervalIndex;
  /** Enclosing namespaces and types, by offset of each named entry in one: what qualifies its name. */
  readonly qualifiers: ReadonlyMap<number, string>;
}

const deepestNesting = 128;
const longestOriginChain = 16;

const qualifyingTags: ReadonlySet<number> = new Set([
  tag.DW_TAG_namespace,
  tag.DW_TAG_module,
  tag.DW_TAG_structure_type,
  tag.DW_TAG_class_type,
  tag.DW_TAG_union_type,
  tag.DW_TAG_interface_type,
  tag.DW_TAG_enumeration_type,
]);

const blockTags: ReadonlySet<number> = new Set([
  tag.DW_TAG_lexical_block,
  tag.DW_TAG_try_block,
  tag.DW_TAG_catch_block,
]);

export class Functions {
  readonly #lists = new ParsedCache<number, FunctionList | undefined>(400_000);
  readonly #scopes = new ParsedCache<number, Scope | undefined>(200_000);

  constructor(readonly info: DebugInformation) {}

  #list(unit: Unit): FunctionList | undefined {
    return this.#lists.get(unit.offset, () => {
      const value = this.#guard(unit, () => listFunctions(unit));
      return { value, weight: 16 + (value?.entries.length ?? 0) + (value?.qualifiers.size ?? 0) };
    });
  }

  #guard<Result>(unit: Unit, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      const where = `.debug_info unit at 0x${unit.offset.toString(16)}`;
      this.info.problems.add(`${where}: ${error.message}; some of its functions and variables are not available`);
      return undefined;
    }
  }

  /** The function whose code contains the address, with everything inside it. */
  functionAt(unit: Unit, address: number): Scope | undefined {
    const list = this.#list(unit);
    if (list === undefined) return undefined;
    for (const { value } of list.index.containing(address)) {
      const offset = list.entries[value];
      if (offset !== undefined) return this.#scope(unit, offset);
    }
    return undefined;
  }

  #scope(unit: Unit, offset: number): Scope | undefined {
    return this.#scopes.get(offset, () => {
      const count = { left: 1_000_000 };
      const scope = this.#guard(unit, () => buildScope(unit.entry(offset), undefined, 0, count));
      return { value: scope, weight: 1_000_000 - count.left };
    });
  }

  /** All functions of a unit that have code, each with everything inside it. */
  *all(unit: Unit): Generator<Scope> {
    for (const offset of this.#list(unit)?.entries ?? []) {
      const scope = this.#scope(unit, offset);
      if (scope !== undefined) yield scope;
    }
  }

  /** The scopes that contain an address, outermost (the function) first. */
  path(unit: Unit, address: number): Scope[] {
    const path: Scope[] = [];
    let scope = this.functionAt(unit, address);
    while (scope !== undefined) {
      path.push(scope);
      scope = scope.children.find((child) => contains(child.ranges, address));
    }
    return path;
  }

  /** Name with its namespaces, from the entry itself or the ones it completes. */
  qualifiedName(entry: Entry): string | undefined {
    for (const step of originChain(entry)) {
      const name = step.text(at.DW_AT_name);
      if (name === undefined) continue;
      const prefix = this.#list(step.unit)?.qualifiers.get(step.offset);
      return prefix === undefined ? name : `${prefix}::${name}`;
    }
    return linkageName(entry);
  }
}

export function contains(ranges: readonly Range[], address: number): boolean {
  return ranges.some(({ low, high }) => low <= address && address < high);
}

/** The entry, the abstract instance it is a copy of, the declaration that one completes, and so on. [DWARF 5, 2.13.2, 3.3.8] */
export function* originChain(entry: Entry): Generator<Entry> {
  let step: Entry | undefined = entry;
  for (let i = 0; step !== undefined && i < longestOriginChain; i++) {
    yield step;
    step = step.reference(at.DW_AT_abstract_origin) ?? step.reference(at.DW_AT_specification);
  }
}

/** The nearest entry along the chain of origins that has an attribute. */
export function withAttribute(entry: Entry, attribute: number): Entry | undefined {
  for (const step of originChain(entry)) if (step.has(attribute)) return step;
  return undefined;
}

export function linkageName(entry: Entry): string | undefined {
  for (const step of originChain(entry)) {
    const name = step.text(at.DW_AT_linkage_name) ?? step.text(at.DW_AT_MIPS_linkage_name);
    if (name !== undefined) return name;
  }
  return undefined;
}

function listFunctions(unit: Unit): FunctionList {
  const entries: number[] = [];
  const ranges: { low: number; high: number; value: number }[] = [];
  const qualifiers = new Map<number, string>();
  const walk = (parent: Entry, prefix: string | undefined, depth: number) => {
    if (depth > deepestNesting) throw new MalformedInput('its entries are nested too deeply');
    for (const child of parent.children()) {
      if (child.tag === tag.DW_TAG_subprogram) {
        if (prefix !== undefined) qualifiers.set(child.offset, prefix);
        if (child.has(at.DW_AT_low_pc) || child.has(at.DW_AT_ranges)) {
          for (const { low, high } of rangesOf(child)) ranges.push({ low, high, value: entries.length });
          entries.push(child.offset);
        }
        // Functions within functions (GNU C, Ada) lie below; only they make this walk go into bodies.
        if (child.abbreviation.hasChildren && hasNestedFunctions(unit)) walk(child, prefix, depth + 1);
      } else if (child.abbreviation.hasChildren && (qualifyingTags.has(child.tag) || blockTags.has(child.tag))) {
        if (isC(unit) && !blockTags.has(child.tag)) continue;
        const name =
          child.text(at.DW_AT_name) ?? (child.tag === tag.DW_TAG_namespace ? '(anonymous namespace)' : undefined);
        const inner =
          name === undefined || blockTags.has(child.tag) ? prefix : prefix === undefined ? name : `${prefix}::${name}`;
        walk(child, inner, depth + 1);
      } else if (prefix !== undefined && child.tag === tag.DW_TAG_variable) {
        qualifiers.set(child.offset, prefix);
      }
    }
  };
  walk(unit.root, undefined, 0);
  return { entries, index: new IntervalIndex(ranges), qualifiers };
}

const languageC: ReadonlySet<number> = new Set([0x01, 0x02, 0x0c, 0x1d, 0x2c, 0x8001]);

/** Whether a unit is C or assembly. There no function stands in a type, so a walk may pass types by. */
export function isC(unit: Unit): boolean {
  return languageC.has(unit.root.number(at.DW_AT_language) ?? 0);
}

function hasNestedFunctions(unit: Unit): boolean {
  return (unit.root.text(at.DW_AT_producer) ?? '').startsWith('GNU');
}

function buildScope(entry: Entry, parent: Scope | undefined, depth: number, count: { left: number }): Scope {
  if (depth > deepestNesting) throw new MalformedInput('its blocks are nested too deeply');
  const kind =
    entry.tag === tag.DW_TAG_subprogram
      ? 'function'
      : entry.tag === tag.DW_TAG_inlined_subroutine
        ? 'inlined'
        : 'block';
  const children: Scope[] = [];
  const variables: Entry[] = [];
  const origin = entry.reference(at.DW_AT_abstract_origin)?.offset;
  const scope: Scope = { entry, kind, ranges: rangesOf(entry), parent, children, variables, origin };
  for (const child of entry.children()) {
    if (--count.left < 0) throw new MalformedInput('one of its functions is larger than any real one');
    if (child.tag === tag.DW_TAG_formal_parameter || child.tag === tag.DW_TAG_variable) {
      variables.push(child);
    } else if (child.tag === tag.DW_TAG_inlined_subroutine || blockTags.has(child.tag)) {
      const inner = buildScope(child, scope, depth + 1, count);
      // A block without ranges of its own spans its parent. [DWARF 5, 3.5]
      if (inner.ranges.length > 0) children.push(inner);
      else if (inner.kind === 'block') {
        children.push(...inner.children);
        variables.push(...inner.variables);
      }
    }
  }
  return scope;
}
