// Rules of the device's interrupt: read the cause, acknowledge what was seen. The order of acknowledging and handling is free in
// practice, so only the bits count. [virtio 1.4, 4.2.2.2, 4.2.3.4.1]
import type { VirtioEvent } from '../../record/events';
import { byDriver, hex, interruptPlace, registerPlace, seen } from './evidence';
import { type BlamedAccess, type FactOf, rule, type Rule, type RuleContext } from './rule';

/** Bits of InterruptStatus that have a meaning: used buffer, configuration change. [virtio 1.4, 4.2.2] */
const definedBits = 3;

/** Where the guest claimed the interrupt; undefined when nobody knows which instruction did. */
function claimant(claim: VirtioEvent): BlamedAccess | undefined {
  if (claim.by !== 'board' || claim.hart === undefined || claim.pc === undefined) return undefined;
  return { hart: claim.hart, pc: claim.pc, step: claim.step };
}

/** The claim whose handling is over: the interrupt was claimed again, or all harts have gone to sleep behind its completion. */
function handled(fact: FactOf<'interrupt-claim' | 'idle'>, { device }: RuleContext): VirtioEvent | undefined {
  const { claim, serving } = device.interrupt;
  return !('harts' in fact) || (fact.harts > 0 && !serving) ? claim : undefined;
}

const next = (fact: FactOf<'interrupt-claim' | 'idle'>): string =>
  fact.kind === 'idle' ? 'every hart went to sleep' : 'it was claimed again';

export const interruptRules: readonly Rule[] = [
  rule('interrupt', {
    id: 'interrupt.undefined-bits-acknowledged',
    title: 'Driver acknowledged interrupt bits that do not exist',
    why: 'Bits above 1 are reserved; a later version may give them a meaning that the driver then acknowledges without knowing.',
    fix: 'Write only bits 0 and 1 to InterruptACK, usually the value read from InterruptStatus masked with 3.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.registers.driver.20'],
    ancestors: ['akaros.interrupt-ack-bits'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    on: ['interrupt-acknowledge'],
    broken: (fact) =>
      (fact.value & ~definedBits) !== 0 && {
        message: `InterruptACK was written with ${hex(fact.value)}.`,
        evidence: [seen('value', hex(fact.value)), seen('InterruptStatus', hex(fact.before))],
        place: registerPlace('InterruptACK'),
      },
  }),
  rule('interrupt', {
    id: 'interrupt.status-not-read',
    title: 'Driver acknowledged an interrupt without reading its cause',
    why: 'InterruptStatus says whether buffers were used or the configuration changed. Acknowledging blindly loses the one that was not expected.',
    fix: 'Read InterruptStatus first and write back what it showed.',
    level: 'must',
    blames: 'access',
    covers: ['mmio.interrupt.driver.1'],
    section: '4.2.3.4.1',
    needs: { transport: 'mmio' },
    on: ['interrupt-acknowledge'],
    broken: (fact, { device: { interrupt } }) =>
      interrupt.claim !== undefined &&
      interrupt.readSinceClaim === undefined && {
        message: `InterruptACK was written with ${hex(fact.value)}, but InterruptStatus was not read since the interrupt was claimed.`,
        evidence: [seen('value', hex(fact.value)), seen('InterruptStatus', hex(fact.before))],
        place: interruptPlace,
        related: interrupt.claim,
      },
  }),
  rule('interrupt', {
    id: 'interrupt.ignored',
    title: 'Driver did not look at the device after its interrupt',
    why: 'The interrupt was claimed and completed, but nobody read InterruptStatus or acknowledged anything: the line stays up. A level-triggered controller interrupts again at once; one that waits for a change never does.',
    fix: "In the handler read the device's InterruptStatus, serve what it says and write the bits to InterruptACK.",
    level: 'must',
    blames: 'missing action',
    covers: ['mmio.interrupt.driver.1'],
    section: '4.2.3.4.1',
    needs: { transport: 'mmio' },
    once: true,
    on: ['interrupt-claim', 'idle'],
    broken: (fact, at) => {
      const claim = handled(fact, at);
      const { readSinceClaim, acknowledgedSinceClaim } = at.device.interrupt;
      if (claim === undefined || readSinceClaim !== undefined || acknowledgedSinceClaim) return false;
      return {
        message: `The interrupt was claimed, and InterruptStatus was not read before ${next(fact)}.`,
        evidence: [seen('claimed at step', claim.step)],
        place: interruptPlace,
        blamed: claimant(claim),
        related: claim,
      };
    },
  }),
  rule('interrupt', {
    id: 'interrupt.not-acknowledged',
    title: 'Driver did not acknowledge an interrupt',
    why: 'Until the bits are written to InterruptACK the device holds its interrupt line up: a level-triggered controller enters the handler again and again, one that waits for a change never again.',
    fix: 'Write the bits that InterruptStatus showed to InterruptACK before the handler ends.',
    level: 'must',
    blames: 'missing action',
    covers: ['mmio.registers.driver.19'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    once: true,
    on: ['interrupt-claim', 'idle'],
    broken: (fact, at) => {
      const claim = handled(fact, at);
      const { interrupt } = at.device;
      if (claim === undefined || interrupt.readSinceClaim === undefined || interrupt.seenServing === 0) return false;
      return {
        message: `Bits ${hex(interrupt.seenServing)} that InterruptStatus had shown were not acknowledged before ${next(fact)}.`,
        evidence: [seen('not acknowledged', hex(interrupt.seenServing)), seen('claimed at step', claim.step)],
        place: interruptPlace,
        blamed: byDriver(interrupt.seenBy),
        related: claim,
      };
    },
  }),
  rule('interrupt', {
    id: 'interrupt.acknowledged-unseen',
    title: 'Driver acknowledged an interrupt cause that it had not seen',
    why: 'The bit may be set just then: the event it stands for is lost without anybody having served it.',
    fix: 'Acknowledge exactly the bits that the last read of InterruptStatus showed.',
    level: 'hazard',
    blames: 'access',
    covers: ['mmio.registers.driver.19'],
    section: '4.2.2.2',
    needs: { transport: 'mmio' },
    follows: ['interrupt.status-not-read'],
    on: ['interrupt-acknowledge'],
    broken: (fact, { device: { interrupt } }) => {
      const unseen = fact.value & definedBits & ~interrupt.seen;
      return (
        unseen !== 0 && {
          message: `InterruptACK was written with ${hex(fact.value)}, but InterruptStatus had shown ${hex(interrupt.seen)}.`,
          evidence: [seen('value', hex(fact.value)), seen('seen', hex(interrupt.seen))],
          place: registerPlace('InterruptACK'),
          related: interrupt.seenBy,
        }
      );
    },
  }),
];
