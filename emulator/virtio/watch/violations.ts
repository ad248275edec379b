// The machine's list of violations: repeats count up, consequences are attached to their cause, and each cause asks for one stop.
// Guarantees: the list is the same whether violations are stopped at or only reported; entries are replaced, never changed; no guest
// can make it longer than `maximumViolations`.
import type { TransportName } from '../spec/feature';
import { inWordsOf } from '../transport/register-names';
import type { DriverOrigin } from '../../record/events';
import type { Finding, Rule } from '../rules';
import type { Violation } from '../violation';
import { copyOf } from './copy';

/** Different violations that are listed; more than anybody reads. */
export const maximumViolations = 10_000;

/** A finding with everything that the list needs to know around it. */
export interface Raised {
  readonly rule: Rule;
  readonly finding: Finding;
  readonly device: string;
  readonly transport: TransportName;
  /** Over the legacy interface. */
  readonly legacy: boolean;
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
  /** `again`: seen before, but in an earlier lap. `repeat`: only the count went up. `unlisted`: the list is full. */
  readonly kind: 'new' | 'again' | 'repeat' | 'unlisted';
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
  /** Number of the violation that it is attached to. */
  cause: number | undefined;
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
  private view: readonly Violation[] | undefined;

  get all(): readonly Violation[] {
    this.view ??= this.state.rows.map((row) => row.violation);
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
      const { step, hart, count } = row.violation;
      // The same access may be found again later (a missing action) or at another of its facts (a wide store).
      const isSame = step === raised.blamed.step && hart === raised.blamed.hart;
      return { violation: { ...row.violation, count: count + (isSame ? 0 : 1) }, kind: 'repeat', cause: undefined };
    }
    const violation = makeViolation(raised, row?.violation.number ?? this.state.rows.length, row?.violation);
    if (violation.number >= maximumViolations) return { violation, kind: 'unlisted', cause: undefined };
    return { violation, kind: row === undefined ? 'new' : 'again', cause: this.causeOf(raised) };
  }

  raise(raised: Raised): RaiseOutcome {
    const outcome = this.preview(raised);
    const { violation, kind, cause } = outcome;
    if (kind === 'unlisted') return outcome;
    if (kind !== 'repeat') {
      this.detach(violation.number);
      this.state.rows[violation.number] = { violation, lap: raised.lap, cause: cause?.number };
      this.state.known.set(keyOf(raised), violation.number);
      const active = this.state.active.get(raised.device);
      if (active === undefined) this.state.active.set(raised.device, [violation.number]);
      else active.push(violation.number);
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
    const { violation, cause } = this.row(number);
    return cause === undefined ? violation : this.row(cause).violation;
  }

  save(): object {
    return copyOf(this.state);
  }
  restore(saved: object): void {
    this.state = copyOf(saved as State);
    this.view = undefined;
  }

  private row(number: number): Row {
    const row = this.state.rows[number];
    if (row === undefined)
      throw new RangeError(`there are ${this.state.rows.length} violations, none has number ${number}`);
    return row;
  }

  /** What explains a finding: an earlier violation that its rule says it follows, or a graver one blamed on the same access. */
  private causeOf({ rule, queue, device, blamed }: Raised): Cause | undefined {
    let beside: Violation | undefined;
    for (const number of this.state.active.get(device) ?? []) {
      const { violation } = this.row(number);
      if (violation.rule === rule.id) continue;
      const sameQueue = queue === undefined || violation.queue === undefined || violation.queue === queue;
      if (sameQueue && rule.follows.some((pattern) => names(pattern, violation))) {
        return { number: this.rootOf(number).number, because: 'follows' };
      }
      const { hart, pc, step } = violation;
      if (hart === blamed.hart && pc === blamed.pc && step === blamed.step) beside ??= violation;
    }
    return beside === undefined ? undefined : { number: this.rootOf(beside.number).number, because: 'same access' };
  }

  /** Where a rule that is listed once already stands in this lap: for this queue, or for the device as a whole. */
  private earlierOfLap({ rule, device, queue }: Raised): number | undefined {
    if (!rule.once) return undefined;
    return this.state.active.get(device)?.find((number) => {
      const { violation } = this.row(number);
      const sameQueue = queue === undefined || violation.queue === undefined || violation.queue === queue;
      return violation.rule === rule.id && sameQueue;
    });
  }

  private attach(cause: number, number: number): void {
    const root = this.row(cause).violation;
    if (root.number === number || root.consequences.includes(number)) return;
    this.replace({ ...root, consequences: [...root.consequences, number] });
  }

  /** What was a consequence in an earlier lap may have no cause, or another one, now. */
  private detach(number: number): void {
    const cause = this.state.rows[number]?.cause;
    if (cause === undefined) return;
    const root = this.row(cause).violation;
    this.replace({ ...root, consequences: root.consequences.filter((other) => other !== number) });
  }

  private replace(violation: Violation): void {
    this.row(violation.number).violation = Object.freeze(violation);
    this.view = undefined;
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
  const { place } = finding;
  const said = (text: string): string => inWordsOf(raised.transport, raised.legacy, text);
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
    transport: raised.transport,
    legacy: raised.legacy,
    message: said(finding.message),
    evidence: finding.evidence.map(({ name, value }) => ({ name: said(name), value: said(value) })),
    place: place?.kind === 'register' ? { ...place, register: said(place.register) } : place,
    related: finding.related,
    consequences: before?.consequences ?? [],
    count: (before?.count ?? 0) + 1,
    beforeEffect: raised.beforeEffect,
  };
}
