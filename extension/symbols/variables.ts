// Parameters, locals and globals at a pc, with their places. [DWARF 5, 4.1]
import { MalformedInput, toNumber } from './bytes';
import type { FrameContext, ReadMemory, Variable, VariableScope } from './contract';
import { at, tag } from './dwarf/constants';
import type { Dwarf } from './dwarf/dwarf';
import { calledFunction, findCallSite, passedValue } from './dwarf/call-sites';
import {
  evaluateLocation,
  evaluateNumber,
  unavailable,
  Unavailable,
  type ExpressionContext,
  type Location,
} from './dwarf/expressions';
import { originChain, withAttribute, type Scope } from './dwarf/functions';
import { constantBytes, expressionAt } from './dwarf/locations';
import { elementOf, sizeOf, strip, typeName, type Type, type Types } from './dwarf/types';
import type { Entry, Unit } from './dwarf/units';
import { TypedValue, type ValueContext } from './typed-value';

/** What variables need of the image. */
export interface VariableImage {
  readonly dwarf: Dwarf;
  readonly types: Types;
  readonly loadBias: bigint;
  frameAddress(frame: FrameContext, readMemory: ReadMemory): bigint | undefined;
  /** The frame that called, with its pc behind the call. */
  caller(frame: FrameContext, readMemory: ReadMemory): FrameContext | undefined;
  describeAddress(address: bigint): string | undefined;
  /** Size of the object whose symbol is exactly there. */
  objectSize(address: bigint): number | undefined;
}

interface Place {
  readonly unit: Unit | undefined;
  readonly pc: number;
  /** Scopes that contain the pc, the function first. */
  readonly path: readonly Scope[];
}

function placeOf(image: VariableImage, frame: FrameContext): Place {
  const pc = toNumber(frame.lookupPc - image.loadBias);
  const unit = image.dwarf.unitAt(pc);
  return { unit, pc, path: unit === undefined ? [] : image.dwarf.functions.path(unit, pc) };
}

/** The scopes of one of the functions inlined at a pc: its own, then its blocks, inwards. */
function scopesOfFunction(path: readonly Scope[], inlineDepth: number): readonly Scope[] {
  const starts = path.flatMap((scope, i) => (scope.kind === 'block' ? [] : [i]));
  const start = starts[starts.length - 1 - inlineDepth];
  if (start === undefined) return [];
  const next = starts[starts.length - inlineDepth] ?? path.length;
  return path.slice(start, next);
}

export function variableScopes(image: VariableImage, frame: FrameContext): VariableScope[] {
  const { unit, path } = placeOf(image, frame);
  if (unit === undefined) return [];
  const scopes: VariableScope[] = [];
  const own = scopesOfFunction(path, frame.inlineDepth);
  const [head] = own;
  if (head !== undefined) {
    const owner = image.dwarf.functions.qualifiedName(head.entry) ?? '(unnamed function)';
    const all = [...own].reverse().flatMap((scope) => withAbstractOnes(scope));
    const isParameter = (entry: Entry) => entry.tag === tag.DW_TAG_formal_parameter;
    scopes.push({ kind: 'parameters', owner, variables: describe(image, all.filter(isParameter), 'parameter') });
    scopes.push({
      kind: 'locals',
      owner,
      variables: describe(
        image,
        all.filter((entry) => !isParameter(entry)),
        'local',
      ),
    });
  }
  const owner = unit.root.text(at.DW_AT_name) ?? '(unnamed file)';
  scopes.push({ kind: 'globals', owner, variables: describe(image, globalsOf(unit), 'global') });
  return scopes;
}

/** The variables of a scope, and those of the function it is a copy of that the copy does not mention. */
function withAbstractOnes(scope: Scope): Entry[] {
  const own = [...scope.variables];
  const origin = scope.entry.reference(at.DW_AT_abstract_origin);
  if (origin === undefined) return own;
  const known = new Set(own.map((entry) => entry.reference(at.DW_AT_abstract_origin)?.offset));
  for (const child of origin.children()) {
    const isVariable = child.tag === tag.DW_TAG_formal_parameter || child.tag === tag.DW_TAG_variable;
    if (isVariable && !known.has(child.offset)) own.push(child);
  }
  return own;
}

/** Variables of file scope that this unit defines. */
function globalsOf(unit: Unit): Entry[] {
  const found: Entry[] = [];
  const walk = (parent: Entry, depth: number) => {
    for (const child of parent.children()) {
      if (child.tag === tag.DW_TAG_variable && (child.has(at.DW_AT_location) || child.has(at.DW_AT_const_value)))
        found.push(child);
      else if (child.tag === tag.DW_TAG_namespace && depth < 16) walk(child, depth + 1);
    }
  };
  walk(unit.root, 0);
  return found;
}

function describe(image: VariableImage, entries: readonly Entry[], kind: Variable['kind']): Variable[] {
  const seen = new Map<string, number>();
  const found: Variable[] = [];
  for (const entry of entries) {
    const name =
      kind === 'global'
        ? image.dwarf.functions.qualifiedName(entry)
        : withAttribute(entry, at.DW_AT_name)?.text(at.DW_AT_name);
    // Unnamed ones are the compiler's own, or parameters that the source does not name.
    if (name === undefined || name === '') continue;
    const line = withAttribute(entry, at.DW_AT_decl_line)?.number(at.DW_AT_decl_line);
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    // An outer variable that an inner one hides.
    const shown = times === 1 ? name : line === undefined ? `${name} (${times})` : `${name} (line ${line})`;
    found.push({ name: shown, typeName: typeName(typeOf(image, entry)), kind, line, entry: entry.offset });
  }
  return found;
}

function typeOf(image: VariableImage, entry: Entry): Type {
  const typed = withAttribute(entry, at.DW_AT_type);
  return typed === undefined ? { kind: 'void' } : image.types.ofEntry(typed);
}

/** The variable that a name means in a frame: innermost block, parameters, file, then other files. */
export function findVariable(image: VariableImage, frame: FrameContext, name: string): Entry | undefined {
  return findNearVariable(image, frame, name) ?? image.types.search.variable(name);
}

/** The same without the other files. */
export function findNearVariable(image: VariableImage, frame: FrameContext, name: string): Entry | undefined {
  const { unit, path } = placeOf(image, frame);
  const own = [...scopesOfFunction(path, frame.inlineDepth)].reverse().flatMap((scope) => withAbstractOnes(scope));
  const nameOf = (entry: Entry) => withAttribute(entry, at.DW_AT_name)?.text(at.DW_AT_name);
  const local = own.find((entry) => nameOf(entry) === name);
  if (local !== undefined) return local;
  const globals = unit === undefined ? [] : globalsOf(unit);
  const short = name.slice(name.lastIndexOf(':') + 1);
  const { functions } = image.dwarf;
  return globals.find(
    (entry) => nameOf(entry) === short && (short === name || functions.qualifiedName(entry) === name),
  );
}

export function valueContext(image: VariableImage, frame: FrameContext, readMemory: ReadMemory): ValueContext {
  return { readMemory, registers: frame.registers, describeAddress: (address) => image.describeAddress(address) };
}

export function readEntry(
  image: VariableImage,
  entry: Entry,
  name: string,
  frame: FrameContext,
  readMemory: ReadMemory,
): TypedValue {
  const context = valueContext(image, frame, readMemory);
  const isPlain = /^[\w:$]+$/.test(name);
  try {
    const location = locate(image, entry, frame, readMemory);
    const type = withSymbolSize(image, typeOf(image, entry), location);
    return new TypedValue(context, name, type, location, 0, undefined, isPlain ? name : undefined);
  } catch (error) {
    if (!(error instanceof MalformedInput)) throw error;
    const location = unavailable(`malformed debugging information: ${error.message}`);
    return new TypedValue(context, name, { kind: 'void' }, location, 0, undefined, undefined);
  }
}

/** The linker knows how long an array is that the source leaves open. */
function withSymbolSize(image: VariableImage, type: Type, location: Location): Type {
  const array = strip(type);
  if (array.kind !== 'array' || array.counts[0] !== undefined || location.kind !== 'memory') return type;
  const bytes = image.objectSize(location.address);
  const element = sizeOf(elementOf(array));
  if (bytes === undefined || element === 0) return type;
  return { ...array, counts: [Math.floor(bytes / element), ...array.counts.slice(1)] };
}

function locate(image: VariableImage, entry: Entry, frame: FrameContext, readMemory: ReadMemory): Location {
  const place = placeOf(image, frame);
  for (const step of originChain(entry)) {
    if (step.has(at.DW_AT_location)) {
      const expression = expressionAt(step, at.DW_AT_location, place.pc);
      if (!(expression instanceof Uint8Array)) return expression;
      return evaluateLocation(expression, expressionContext(image, step.unit, place, frame, readMemory, 0));
    }
    const bytes = constantBytes(step);
    if (bytes !== undefined) return { kind: 'bytes', bytes };
  }
  return unavailable('the compiler removed it');
}

function expressionContext(
  image: VariableImage,
  unit: Unit,
  place: Place,
  frame: FrameContext,
  readMemory: ReadMemory,
  depth: number,
): ExpressionContext {
  const context: ExpressionContext = {
    unit,
    registers: frame.registers,
    readMemory,
    loadBias: image.loadBias,
    cfa: () => frame.cfa ?? image.frameAddress(frame, readMemory),
    frameBase: () => {
      const owner = place.path[0]?.entry;
      if (owner === undefined || !owner.has(at.DW_AT_frame_base)) return unavailable('its function has no frame base');
      const expression = expressionAt(owner, at.DW_AT_frame_base, place.pc);
      if (!(expression instanceof Uint8Array)) return expression;
      const forbidden = () => unavailable('the frame base refers to itself');
      return evaluateLocation(expression, { ...context, unit: owner.unit, frameBase: forbidden });
    },
    entryValue: (expression) => entryValue(image, place, expression, frame, readMemory, depth),
  };
  return context;
}

/** How many callers may pass on what they were themselves passed. */
const mostCallers = 16;

/** The value of a register on entry to the function, from what the caller says that it passed. */
function entryValue(
  image: VariableImage,
  place: Place,
  expression: Uint8Array,
  frame: FrameContext,
  readMemory: ReadMemory,
  depth: number,
): bigint {
  const lost = (why: string) => new Unavailable(`it was known only on entry to the function, and ${why}`);
  if (depth >= mostCallers) throw lost('its callers pass it on too often');
  const caller = image.caller(frame, readMemory);
  if (caller === undefined) throw lost('the caller is not known');
  const outer = placeOf(image, caller);
  const owner = outer.path[0]?.entry;
  const returnPc = toNumber(caller.registers.pc - image.loadBias);
  const site = owner === undefined ? undefined : findCallSite(owner, returnPc);
  if (site === undefined || outer.unit === undefined) throw lost('the call is not described');
  // A jump instead of a call in between may have changed what was passed.
  const here = place.path[0]?.entry;
  const name = here === undefined ? undefined : withAttribute(here, at.DW_AT_name)?.text(at.DW_AT_name);
  if (name === undefined || calledFunction(site) !== name) throw lost('the caller called another function');
  const value = passedValue(site, expression);
  if (value === undefined) throw lost('the caller does not say what it passed');
  return evaluateNumber(value, expressionContext(image, outer.unit, outer, caller, readMemory, depth + 1));
}
