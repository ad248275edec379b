// Reports of a run: text for people, JSON for tools (its schema is media/report.schema.json).
import type { ViolationReport } from '../debug/target';
import { levelWord } from '../debug/violation-text';
import { brokenBySeeds, type CampaignResult, endingText, moodText } from './campaign';
import type { HeadlessResult } from './headless';

export interface ReportInput {
  readonly guest: string;
  readonly exitStatus: number;
  readonly result: HeadlessResult;
  /** The runs under other seeds; their new violations are in `result`, behind those of the run as configured. */
  readonly campaign?: CampaignResult;
}

export function jsonReport({ guest, exitStatus, result, campaign }: ReportInput): string {
  const report = {
    guest,
    exit: exitStatus,
    outcome: result.ending.kind,
    ...(campaign !== undefined && {
      campaign: campaign.runs.map(({ seed, moods, ending, fresh, command }) => ({
        seed,
        moods,
        outcome: ending.kind,
        ending: endingText(ending),
        new: fresh,
        command,
      })),
    }),
    violations: result.violations.map((violation, i) => ({
      ...jsonViolation(violation),
      ...seenUnder(campaign?.violations[i]),
    })),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** The run of a campaign that shows a violation first. */
function seenUnder(found: CampaignResult['violations'][number] | undefined): object {
  return found === undefined ? {} : { seed: found.seed, moods: found.moods, command: found.command };
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
function position(source: { readonly file: string; readonly line: number } | undefined): string | null {
  return source === undefined ? null : `${source.file}:${source.line}`;
}

function jsonViolation(violation: ViolationReport): object {
  const { related } = violation;
  return {
    rule: violation.rule,
    title: violation.title,
    level: violation.level,
    family: violation.family,
    section: violation.section,
    statements: violation.statements,
    device: violation.device,
    queue: violation.queue ?? null,
    hart: violation.hart,
    pc: hex(violation.pc),
    source: position(violation.source),
    function: violation.function,
    stack: violation.stack.map((frame) => ({
      pc: hex(frame.pc),
      function: frame.name,
      source: position(frame.source),
      inlined: frame.inlined,
    })),
    step: violation.step,
    count: violation.count,
    message: violation.message,
    evidence: Object.fromEntries(violation.evidence.map(({ name, value }) => [name, value])),
    related:
      related === undefined
        ? null
        : {
            description: related.description,
            step: related.step,
            pc: related.pc === undefined ? null : hex(related.pc),
            source: position(related.source),
          },
  };
}

export function textReport({ guest, result, campaign }: ReportInput): string {
  const { violations, ending } = result;
  const lines = violations.flatMap((violation, i) => [
    `${position(violation.source) ?? `${violation.function} (pc ${hex(violation.pc)})`}: ${levelWord[violation.level]}: ${violation.title} [${violation.rule}]`,
    `    ${violation.message}`,
    `    ${violation.device}${violation.queue === undefined ? '' : ` queue ${violation.queue}`}, virtio 1.4 section ${violation.section}, step ${violation.step}${violation.count > 1 ? `, seen ${violation.count} times` : ''}, in ${violation.function}`,
    ...violation.evidence.map(({ name, value }) => `    ${name}: ${value}`),
    ...(violation.related === undefined
      ? []
      : [
          `    follows from: ${violation.related.description}${violation.related.source === undefined ? '' : ` (${position(violation.related.source) ?? ''})`}`,
        ]),
    `    fix: ${violation.fix}`,
    ...seenWith(campaign?.violations[i]),
    '',
  ]);
  const count = (level: string): number => violations.filter((violation) => violation.level === level).length;
  lines.push(
    `${guest}: ${endingText(ending)}; ${count('must')} MUST, ${count('should')} SHOULD, ${count('hazard')} hazards`,
  );
  if (campaign !== undefined) {
    const broken = brokenBySeeds(campaign);
    for (const run of broken) {
      lines.push(
        `seed ${run.seed}, mood ${moodText(run.moods)}: ${endingText(run.ending)}`,
        `    again: ${run.command}`,
      );
    }
    const ended = broken.length === 0 ? '' : `, ${broken.length} ended badly`;
    lines.push(`campaign: ${campaign.runs.length} runs, the first as configured${ended}`);
  }
  return `${lines.join('\n')}\n`;
}

/** How to see it again. */
function seenWith(found: CampaignResult['violations'][number] | undefined): readonly string[] {
  if (found === undefined) return [];
  return [`    seen with: --seed ${found.seed}, mood ${moodText(found.moods)}`, `    again: ${found.command}`];
}

export function statistics({ exitStatus, result }: ReportInput): string {
  return `${JSON.stringify({
    steps: result.steps,
    instructions: result.instructions,
    wallSeconds: result.wallSeconds,
    mips: result.steps / 1e6 / Math.max(result.wallSeconds, 1e-9),
    events: result.events,
    violations: result.violations.length,
    exit: exitStatus,
    outcome: result.ending.kind,
  })}\n`;
}
