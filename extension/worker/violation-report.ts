// Turns a violation of the emulator into what the outside sees: the rule's texts, the call stack, the blamed source line.
import type { Machine } from '../../emulator/machine';
import type { VirtioEvent } from '../../emulator/record/events';
import { describeEvent } from '../../emulator/record/describe';
import { ruleById } from '../../emulator/virtio/rules';
import { inWordsOf } from '../../emulator/virtio/transport/register-names';
import type { Violation } from '../../emulator/virtio/violation';
import type { SourcePosition, StackFrame, ViolationReport } from '../debug/target';
import type { StackFrame as SymbolFrame } from '../symbols/contract';
import type { Accessors } from './accessors';
import type { GuestSymbols } from './guest-symbols';
import { memoryReader, registersOf } from './hart-registers';

const longestStack = 64;

/** Stack and blame as they were when the violation was found; the rest is looked up when asked for. */
export interface CapturedViolation {
  readonly stack: readonly StackFrame[];
  readonly source: SourcePosition | undefined;
  readonly function: string;
  readonly blamedFrame: number;
  /** Line of the earlier event that it follows from. */
  readonly relatedSource: SourcePosition | undefined;
}

/** Must be called while the machine stands where the violation was found. */
export function captureViolation(
  machine: Machine,
  symbols: GuestSymbols,
  accessors: Accessors,
  violation: Violation,
): CapturedViolation {
  const registers = registersOf(machine, violation.hart);
  const frames = symbols.backtrace(registers, memoryReader(machine, violation.hart), longestStack).frames;
  const stack = frames.map((frame) => stackFrame(symbols, frame));
  const here = registers.pc === violation.pc;
  const blamed = here ? frames : symbols.backtrace({ ...registers, pc: violation.pc }, () => undefined, 1).frames;
  // Only an access to a register is carried by accessors; a store to a ring is the driver's own.
  const skips = violation.place === undefined || !['descriptor', 'available', 'used'].includes(violation.place.kind);
  const index = here && skips ? accessors.blamed(blamed) : innermostWithLine(blamed);
  const frame = blamed[index];
  return {
    stack,
    blamedFrame: here ? index : 0,
    source: frame === undefined ? undefined : sourceOf(symbols, frame),
    function: frame === undefined ? symbols.nameOf(violation.pc) : frameName(symbols, frame),
    relatedSource: relatedSource(),
  };

  /** The stack of that moment is gone, but what was inlined there still shows. */
  function relatedSource(): SourcePosition | undefined {
    const event = violation.related;
    if (event === undefined || !('pc' in event)) return undefined;
    const then = symbols.backtrace({ ...registers, pc: event.pc }, () => undefined, 1).frames;
    const line = then['place' in event || event.kind === 'publish' ? innermostWithLine(then) : accessors.blamed(then)];
    return line === undefined ? undefined : sourceOf(symbols, line);
  }
}

export function reportViolation(violation: Violation, captured: CapturedViolation): ViolationReport {
  const { relatedSource, ...blamed } = captured;
  const rule = ruleById(violation.rule);
  if (rule === undefined) throw new Error(`the catalogue has no rule "${violation.rule}"`);
  const said = (text: string): string => inWordsOf(violation.transport, violation.legacy, text);
  return {
    number: violation.number,
    rule: violation.rule,
    title: said(rule.title),
    level: violation.level,
    family: violation.family,
    section: rule.section,
    link: rule.link,
    statements: rule.covers,
    why: said(rule.why),
    fix: said(rule.fix),
    blames: rule.blames,
    device: violation.device,
    queue: violation.queue,
    hart: violation.hart,
    pc: violation.pc,
    step: violation.step,
    foundAtStep: violation.foundAtStep,
    virtualNanoseconds: violation.virtualNanoseconds,
    count: violation.count,
    beforeEffect: violation.beforeEffect,
    message: violation.message,
    evidence: violation.evidence,
    ...blamed,
    related: violation.related === undefined ? undefined : relatedOf(violation.related, relatedSource),
    consequences: violation.consequences,
  };
}

function relatedOf(event: VirtioEvent, source: SourcePosition | undefined): NonNullable<ViolationReport['related']> {
  return {
    description: describeEvent(event),
    step: event.step,
    pc: 'pc' in event ? event.pc : undefined,
    source,
    eventIndex: event.index,
  };
}

export function stackFrame(symbols: GuestSymbols, frame: SymbolFrame): StackFrame {
  return {
    pc: frame.pc,
    name: frameName(symbols, frame),
    source: sourceOf(symbols, frame),
    inlined: frame.inlined,
    cfa: frame.cfa,
  };
}

function frameName(symbols: GuestSymbols, frame: SymbolFrame): string {
  if (frame.function === undefined) return symbols.nameOf(frame.lookupPc);
  return frame.offset === undefined || frame.offset === 0n
    ? frame.function
    : `${frame.function}+0x${frame.offset.toString(16)}`;
}

function sourceOf(symbols: GuestSymbols, frame: SymbolFrame): SourcePosition | undefined {
  if (frame.file === undefined || frame.line === undefined) return undefined;
  return {
    file: symbols.findSource(frame.file),
    line: frame.line,
    ...(frame.column !== undefined && frame.column > 0 && { column: frame.column }),
  };
}

function innermostWithLine(frames: readonly SymbolFrame[]): number {
  const index = frames.findIndex((frame) => frame.line !== undefined);
  return index < 0 ? 0 : index;
}
