// What the debug adapter asks of whatever runs the guest: the worker in the product, an in-process session in tests and on the
// command line. Nothing here knows the Debug Adapter Protocol. Addresses are virtual unless they say otherwise; all are bigint.
import type { LaunchConfiguration } from './launch-configuration';

export interface SourcePosition {
  /** Path as the debug information gives it, absolute where it says so. */
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

export interface StackFrame {
  readonly pc: bigint;
  /** Function name, or `symbol+0x1c`, or the bare address. */
  readonly name: string;
  readonly source: SourcePosition | undefined;
  readonly inlined: boolean;
  /** Canonical frame address; tells frames apart while stepping. */
  readonly cfa: bigint | undefined;
}

/** A violation as everything outside the emulator sees it: with the catalogue's texts and with source positions. */
export interface ViolationReport {
  readonly number: number;
  readonly rule: string;
  readonly title: string;
  readonly level: 'must' | 'should' | 'hazard';
  readonly family: string;
  /** Section of virtio 1.4, and where it is published. */
  readonly section: string;
  readonly link: string;
  /** Ids of the normative statements that the rule covers. */
  readonly statements: readonly string[];
  readonly why: string;
  readonly fix: string;
  readonly blames: string;
  readonly device: string;
  readonly queue: number | undefined;
  readonly hart: number;
  readonly pc: bigint;
  readonly step: number;
  readonly foundAtStep: number;
  readonly virtualNanoseconds: number;
  readonly count: number;
  readonly beforeEffect: boolean;
  readonly message: string;
  readonly evidence: readonly { readonly name: string; readonly value: string }[];
  /** The first frame that is not an accessor; undefined without debug information. */
  readonly source: SourcePosition | undefined;
  readonly function: string;
  /** Innermost first. */
  readonly stack: readonly StackFrame[];
  /** Index in `stack` of the frame that `source` belongs to; frames before it only carry the access. */
  readonly blamedFrame: number;
  readonly related:
    | {
        readonly description: string;
        readonly step: number;
        readonly pc: bigint | undefined;
        readonly source: SourcePosition | undefined;
        readonly eventIndex: number;
      }
    | undefined;
  readonly consequences: readonly number[];
}

export type StopReason =
  | { readonly kind: 'entry' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'step' }
  /** The debugger moved the pc. */
  | { readonly kind: 'goto' }
  | { readonly kind: 'breakpoint'; readonly ids: readonly number[] }
  | { readonly kind: 'data-breakpoint'; readonly id: string; readonly description: string }
  | { readonly kind: 'violation'; readonly violation: ViolationReport }
  | { readonly kind: 'ring-event'; readonly description: string }
  /** A way back ended where the history begins. */
  | { readonly kind: 'beginning'; readonly description: string }
  /** The guest can only trap for ever, or jumped into nothing. */
  | { readonly kind: 'trap'; readonly description: string }
  /** Every hart waits, and nothing can ever wake it. */
  | { readonly kind: 'stuck'; readonly description: string };

export type TargetEvent =
  /** A machine was built, at launch or restart; what was known of an earlier one is over. */
  | { readonly kind: 'launched'; readonly result: LaunchResult }
  | {
      readonly kind: 'stopped';
      readonly reason: StopReason;
      readonly hart: number;
      readonly step: number;
      /** The run has been further than this already. */
      readonly inPast?: boolean;
    }
  | { readonly kind: 'continued' }
  /** Text for people: what was chosen, what degraded. */
  | { readonly kind: 'message'; readonly severity: 'info' | 'warning' | 'error'; readonly text: string }
  /** Bytes of a guest console: `uart0`, or a console device's name. */
  | { readonly kind: 'console'; readonly channel: string; readonly bytes: Uint8Array }
  /** A violation was found or seen again, whether or not it stops. */
  | { readonly kind: 'violation'; readonly violation: ViolationReport }
  /** Something was changed in the past: what came behind is no more. `violations` are the numbers of those that still stand. */
  | { readonly kind: 'forked'; readonly step: number; readonly violations: readonly number[] }
  | { readonly kind: 'policy-changed' }
  /** The guest ended by itself. `code` is 0 for power-off. The machine stays inspectable until `terminate`. */
  | { readonly kind: 'finished'; readonly outcome: 'power-off' | 'reset' | 'fail'; readonly code: number }
  /** The emulator itself failed; the session is over. */
  | { readonly kind: 'crashed'; readonly text: string };

export interface RegisterValue {
  readonly name: string;
  readonly value: bigint;
  /** Width in bits. */
  readonly bits: 32 | 64;
  /** Fields of a CSR, or the floating-point reading. */
  readonly detail?: string;
}
export interface RegisterGroup {
  readonly name: 'Integer' | 'Floating point' | 'Machine CSRs' | 'Supervisor CSRs' | 'User CSRs';
  readonly registers: readonly RegisterValue[];
}

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly type: string | undefined;
  /** Handle for its members while the target stands still; 0 when it has none. */
  readonly children: number;
  /** Number of elements where it is an array. */
  readonly indexed?: number;
  /** Virtual address of the value where it has one. */
  readonly address?: bigint;
  /** An expression that evaluates to it. */
  readonly expression?: string;
}
export interface VariableScope {
  readonly name: 'Arguments' | 'Locals' | 'Globals';
  readonly children: number;
  readonly expensive: boolean;
}

export interface SourceBreakpoint {
  /** Caller's number, given back in stops and bindings. */
  readonly id: number;
  readonly line: number;
  readonly condition?: string;
  /** Stop on the n-th hit: `5`, `>5`, `%3`. */
  readonly hitCondition?: string;
  /** Print instead of stopping; `{expression}` is replaced. */
  readonly logMessage?: string;
}
export interface InstructionBreakpoint {
  readonly id: number;
  readonly address: bigint;
  readonly condition?: string;
  readonly hitCondition?: string;
}
export interface FunctionBreakpoint {
  readonly id: number;
  readonly name: string;
  readonly condition?: string;
  readonly hitCondition?: string;
}
export interface BreakpointBinding {
  readonly id: number;
  readonly verified: boolean;
  /** Why not verified. */
  readonly message?: string;
  readonly source?: SourcePosition;
  readonly addresses: readonly bigint[];
}
export interface DataBreakpoint {
  readonly id: string;
  readonly address: bigint;
  /** `virtual` as hart 0 translates it when it is placed. */
  readonly space: 'virtual' | 'physical';
  readonly lengthBytes: number;
  readonly access: 'read' | 'write' | 'readWrite';
}

export interface DisassembledInstruction {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly symbol: string | undefined;
  readonly source: SourcePosition | undefined;
}

export type StepKind = 'in' | 'over' | 'out';
export type StepGranularity = 'instruction' | 'line';

/** Who set an entry of the rule policy; each replaces only its own. */
export type PolicyOrigin = 'launch' | 'filter' | 'tree' | 'mute';

/** One entry of the rule policy. [design: rule policy] */
export interface PolicyEntry {
  readonly pattern: string;
  readonly action: 'break' | 'report' | 'off';
  readonly device?: string | undefined;
  /** Only for violations blamed on this instruction. */
  readonly pc?: bigint | undefined;
  /** Only for `break`: an expression over the violation's fields; where it is false the violation is reported. */
  readonly condition?: string | undefined;
  readonly source?: PolicyOrigin | undefined;
}
export interface RuleFamily {
  readonly id: string;
  readonly title: string;
  readonly description: string;
}

export interface LaunchResult {
  readonly harts: number;
  /** What was chosen where the configuration left a choice: `bios none: the guest's entry is 0x80000000`. */
  readonly notes: readonly string[];
  readonly hasDebugInformation: boolean;
  /** Whether the ways back work: the configuration keeps a history. */
  readonly hasHistory: boolean;
  readonly consoles: readonly string[];
  readonly devices: readonly { readonly name: string; readonly type: string }[];
}

/** All methods reject with an Error whose message can be shown to a person. */
export interface DebugTarget {
  /** Builds the machine and loads symbols. The guest does not run before `resume` or a step. */
  launch(configuration: LaunchConfiguration): Promise<LaunchResult>;
  onEvent(listener: (event: TargetEvent) => void): void;

  resume(): Promise<void>;
  pause(): Promise<void>;
  /** Ends with a `stopped` event. */
  step(hart: number, kind: StepKind, granularity: StepGranularity): Promise<void>;
  /** Runs to the next ring event of any device, or of one. Ends with a `stopped` event. */
  nextRingEvent(device?: string): Promise<void>;
  // The ways back. Each ends with a `stopped` event; without a history they are refused.
  previousRingEvent(device?: string): Promise<void>;
  /** Of a line: to the start of the one executed before, passing over calls. */
  stepBack(hart: number, granularity: StepGranularity): Promise<void>;
  /** To the last breakpoint, data breakpoint or violation. */
  reverseContinue(): Promise<void>;
  /** To right behind an event of the run, by its index in the stream. */
  goToEvent(index: number): Promise<void>;
  /** To where the run had got before the first way back. */
  goToLiveEnd(): Promise<void>;
  /** Same configuration from reset; breakpoints and policy stay. Stops at entry when the configuration says so. */
  restart(configuration?: LaunchConfiguration): Promise<LaunchResult>;
  terminate(): Promise<void>;

  /** Replaces the breakpoints of one file. */
  setSourceBreakpoints(file: string, breakpoints: readonly SourceBreakpoint[]): Promise<readonly BreakpointBinding[]>;
  setInstructionBreakpoints(breakpoints: readonly InstructionBreakpoint[]): Promise<readonly BreakpointBinding[]>;
  setFunctionBreakpoints(breakpoints: readonly FunctionBreakpoint[]): Promise<readonly BreakpointBinding[]>;
  setDataBreakpoints(breakpoints: readonly DataBreakpoint[]): Promise<readonly BreakpointBinding[]>;
  /** Lines of a file that have code, in a range. */
  breakpointLines(file: string, firstLine: number, lastLine: number): Promise<readonly number[]>;

  harts(): Promise<
    readonly {
      readonly hart: number;
      readonly state: 'running' | 'waiting' | 'stopped';
      readonly pc: bigint;
      readonly mode: string;
    }[]
  >;
  backtrace(hart: number, limit: number): Promise<readonly StackFrame[]>;
  /** Registers as they were in that frame (callee-saved ones unwound); frame 0 is the hart's own. */
  registers(hart: number, frame: number): Promise<readonly RegisterGroup[]>;
  writeRegister(hart: number, name: string, value: bigint): Promise<void>;
  scopes(hart: number, frame: number): Promise<readonly VariableScope[]>;
  variables(children: number, start?: number, count?: number): Promise<readonly Variable[]>;
  evaluate(hart: number, frame: number, expression: string): Promise<Variable>;
  assign(hart: number, frame: number, expression: string, value: string): Promise<Variable>;
  /** Bytes up to the first one that cannot be read. Virtual addresses of the hart, or guest-physical ones. */
  readMemory(address: bigint, length: number, space: 'virtual' | 'physical', hart: number): Promise<Uint8Array>;
  /** A debugger's write: an input, never a driver access. Returns how many bytes were written. */
  writeMemory(address: bigint, bytes: Uint8Array, space: 'virtual' | 'physical', hart: number): Promise<number>;
  /** `instructionOffset` may be negative; always gives `count` rows, unreadable ones with a text that says so. */
  disassemble(
    address: bigint,
    instructionOffset: number,
    count: number,
    hart: number,
  ): Promise<readonly DisassembledInstruction[]>;
  /** Addresses where one may go on (jump to line) for a source line. */
  addressesOf(file: string, line: number): Promise<readonly bigint[]>;
  setPc(hart: number, pc: bigint): Promise<void>;

  ruleFamilies(): Promise<readonly RuleFamily[]>;
  policy(): Promise<readonly PolicyEntry[]>;
  /** Replaces the entries of one origin. */
  setPolicy(origin: PolicyOrigin, entries: readonly PolicyEntry[]): Promise<void>;
  violations(): Promise<readonly ViolationReport[]>;
  consoleInput(channel: string, bytes: Uint8Array): Promise<void>;
}
