// The machine's list of violations: repeats count up, consequences are attached to their cause, and each cause asks for one stop.
// Guarantees: the list is the same whether violations are stopped at or only reported; entries are replaced, never changed.
import type { DriverOrigin } from '../../record/events';
import type { Finding, Rule } from '../rules';
import type { Violation } from '../violation';
import { copyOf } from './copy';

/** A finding with everything that the list needs to know around it. */
export interface Raised {
  readonly rule: Rule;
  readonly finding: Finding;
  readonly device: string;
  readonly queue: number | undefined;
  readonly blamed: Pick<DriverOrigin, 'hart' | 'pc'> & { readonly step: number };
  readonly foundAtStep: number;
  readonly virtualNanoseconds: number;
  readonly beforeEffect: boolean;
  /** The device's lap: a repeat in a later one may stop again. */
  readonly lap: number;
}

export interface RaiseOutcome {
  readonly violation: Violation;
  /** `again`: seen before, but in an earlier lap. `repeat`: only the count went up. */
  readonly kind: 'new' | 'again' | 'repeat';
  /** The violation that it is attached to. */
  readonly cause: Cause | undefined;
}

export interface Cause {
  readonly number: number;
  readonly because: 'follows' | 'same access';
}

interface Row {
  violation: Violation;
  lap: number;
}

interface State {
  rows: Row[];
  /** By rule, device, queue and blamed pc. */
  known: Map<string, number>;
  /** Violations of the current lap by device, oldest first. */
  active: Map<string, number[]>;
  revision: number;
}

export class ViolationList {
  private state: State = { rows: [], known: new Map(), active: new Map(), revision: 0 };
  private view: readonly Violation[] = [];

  get all(): readonly Violation[] {
    return this.view;
  }
  get revision(): number {
    return this.state.revision;
  }

  /** What `raise` would do, without doing it. */
  preview(raised: Raised): RaiseOutcome {
    const known = this.earlierOfLap(raised) ?? this.state.known.get(keyOf(raised));
    const row = known === undefined ? undefined : this.state.rows[known];
    if (row !== undefined && row.lap === raised.lap) {
      const { step, hart } = row.violation;
      // The same access may be found again later (a missing action) or at another of its facts (a wide store).
      const isSame = step === raised.blamed.step && hart === raised.blamed.hart;
      const violation = { ...row.violation, count: row.violation.count + (isSame ? 0 : 1) };
      return { violation, kind: 'repeat', cause: undefined };
    }
    const number = row?.violation.number ?? this.state.rows.length;
    return {
      violation: makeViolation(raised, number, row?.violation),
      kind: row === undefined ? 'new' : 'again',
      cause: this.causeOf(raised),
    };
  }

  raise(raised: Raised): RaiseOutcome {
    const outcome = this.preview(raised);
    const { violation, kind, cause } = outcome;
    if (kind !== 'repeat') {
      this.state.rows[violation.number] = { violation, lap: raised.lap };
      this.state.known.set(keyOf(raised), violation.number);
      this.state.active.set(raised.device, [...(this.state.active.get(raised.device) ?? []), violation.number]);
    }
    this.replace(violation);
    if (cause !== undefined) this.attach(cause.number, violation.number);
    return outcome;
  }

  /** A device reset: what was broken before no longer explains what comes now. */
  startLap(device: string): void {
    this.state.active.delete(device);
  }

  /** The cause that a violation is attached to, or itself. Throws RangeError when there is no such violation. */
  rootOf(number: number): Violation {
    return this.view.find((violation) => violation.consequences.includes(number)) ?? this.at(number);
  }

  save(): object {
    return copyOf(this.state);
  }
  restore(saved: object): void {
    this.state = copyOf(saved as State);
    this.view = this.state.rows.map((row) => row.violation);
  }

  private at(number: number): Violation {
    const row = this.state.rows[number];
    if (row === undefined)
      throw new RangeError(`there are ${this.state.rows.length} violations, none has number ${number}`);
    return row.violation;
  }

  /** What explains a finding: an earlier violation that its rule says it follows, or a graver one blamed on the same access. */
  private causeOf({ rule, queue, device, blamed }: Raised): Cause | undefined {
    const earlier = (this.state.active.get(device) ?? []).map((number) => this.at(number));
    const followed = earlier.find(
      (cause) =>
        cause.rule !== rule.id &&
        (queue === undefined || cause.queue === undefined || cause.queue === queue) &&
        rule.follows.some((pattern) => names(pattern, cause)),
    );
    if (followed !== undefined) return { number: this.rootOf(followed.number).number, because: 'follows' };
    const beside = earlier.find(
      (cause) =>
        cause.rule !== rule.id && cause.hart === blamed.hart && cause.pc === blamed.pc && cause.step === blamed.step,
    );
    return beside === undefined ? undefined : { number: this.rootOf(beside.number).number, because: 'same access' };
  }

  /** Where a rule that is listed once already stands in this lap: for this queue, or for the device as a whole. */
  private earlierOfLap({ rule, device, queue }: Raised): number | undefined {
    if (!rule.once) return undefined;
    return this.state.active.get(device)?.find((number) => {
      const earlier = this.at(number);
      const sameQueue = queue === undefined || earlier.queue === undefined || earlier.queue === queue;
      return earlier.rule === rule.id && sameQueue;
    });
  }

  private attach(cause: number, number: number): void {
    const root = this.at(cause);
    if (root.number === number || root.consequences.includes(number)) return;
    this.replace({ ...root, consequences: [...root.consequences, number] });
  }

  private replace(violation: Violation): void {
    const row = this.state.rows[violation.number];
    if (row !== undefined) row.violation = Object.freeze(violation);
    this.view = this.state.rows.map((each) => each.violation);
    this.state.revision++;
  }
}

function keyOf({ rule, device, queue, blamed }: Raised): string {
  return `${rule.id} ${device} ${queue ?? '-'} ${blamed.pc}`;
}

/** Whether a pattern of `follows` (an id, or a family with `.*`) means this violation. */
function names(pattern: string, violation: Violation): boolean {
  return pattern.endsWith('.*') ? pattern.slice(0, -2) === violation.family : pattern === violation.rule;
}

function makeViolation(raised: Raised, number: number, before: Violation | undefined): Violation {
  const { rule, finding, blamed } = raised;
  return {
    number,
    rule: rule.id,
    level: rule.level,
    family: rule.family,
    device: raised.device,
    queue: raised.queue,
    hart: blamed.hart,
    pc: blamed.pc,
    step: blamed.step,
    foundAtStep: raised.foundAtStep,
    virtualNanoseconds: raised.virtualNanoseconds,
    message: finding.message,
    evidence: finding.evidence,
    place: finding.place,
    related: finding.related,
    consequences: before?.consequences ?? [],
    count: (before?.count ?? 0) + 1,
    beforeEffect: raised.beforeEffect,
  };
}
