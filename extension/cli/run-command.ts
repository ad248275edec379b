// `ringside run`: a guest without VS Code, with an exit status for continuous integration.
import * as fs from 'node:fs';
import { LoadError } from '../../emulator/board/loaders/load-error';
import type { VirtioEvent } from '../../emulator/record/events';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import { launchPolicy } from '../worker/launch-policy';
import { ConfigurationError } from '../worker/parse-launch';
import { jsonReport, statistics, textReport, type ReportInput } from './report';
import { Dialogue, type Line, parseScript, parseSend } from './dialogue';
import { type CampaignResult, runCampaign } from './campaign';
import { reproduceCommand } from './reproduce';
import { type Ending, type HeadlessResult, runHeadless } from './headless';
import { parseRun, type RunOptions, UsageError } from './options';
import { junitReport, sarifReport } from './sarif';
import { eventLine } from './trace';

/** What a run means to a shell. [design: command line] */
export const exitStatus = { ok: 0, violations: 1, usage: 2, guestFailedToEnd: 3, guestReportedFailure: 4 } as const;

const levels = ['must', 'should', 'hazard'] as const;

export async function runCommand(words: readonly string[]): Promise<number> {
  const options = parseRun(words);
  const trace = options.trace === undefined ? undefined : openFile('--trace', options.trace);
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on('SIGINT', interrupt);
  const note = (text: string): void => void process.stderr.write(`ringside: ${text}\n`);
  let result: HeadlessResult;
  let campaign: CampaignResult | undefined;
  try {
    const run = (configuration: LaunchConfiguration, isFirst: boolean): Promise<HeadlessResult> =>
      runHeadless({
        configuration,
        policy: launchPolicy(configuration),
        stopAtViolation: options.onViolation === 'stop',
        dialogue: makeDialogue(options),
        maxInstructions: options.maxInstructions,
        timeoutSeconds: options.timeoutSeconds,
        console: (bytes) => {
          if (isFirst) writeAll(1, bytes);
        },
        note: (text) => {
          if (isFirst) note(text);
        },
        ...(trace !== undefined && isFirst && { event: (event: VirtioEvent) => trace(eventLine(event)) }),
        interrupted: () => interrupted,
      });
    if (options.campaign === undefined) result = await run(options.configuration, true);
    else {
      campaign = await runCampaign(options.configuration, options.campaign, run, note, (one) =>
        reproduceCommand(words, one),
      );
      result = { ...campaign.first, violations: campaign.violations.map(({ violation }) => violation) };
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw new UsageError(error.problems.join('\n'));
    if (error instanceof LoadError) throw new UsageError(error.message);
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
  }
  const isViolated = result.violations.some((one) => levels.indexOf(one.level) <= levels.indexOf(options.failOn));
  // A hang counts under whichever seed it comes.
  const statuses = [result.ending, ...(campaign?.runs ?? []).map(({ ending }) => ending)].map((ending) =>
    statusOf(ending, isViolated),
  );
  const gravest = [exitStatus.guestFailedToEnd, exitStatus.guestReportedFailure, exitStatus.violations];
  const status = gravest.find((one) => statuses.includes(one)) ?? exitStatus.ok;
  const input: ReportInput = {
    guest: options.configuration.name,
    exitStatus: status,
    result,
    ...(campaign !== undefined && { campaign }),
  };
  if ('text' in result.ending) process.stderr.write(`ringside: ${result.ending.text}\n`);
  const reports = options.reports.length > 0 ? options.reports : [{ format: 'text' as const, file: undefined }];
  for (const { format, file } of reports) {
    const text = writers[format](input);
    if (file === undefined) process.stderr.write(text);
    else openFile('--report', file)(text);
  }
  if (options.stats !== undefined) openFile('--stats', options.stats)(statistics(input));
  return status;
}

const writers = { text: textReport, json: jsonReport, sarif: sarifReport, junit: junitReport } as const;

function statusOf(ending: Ending, violations: boolean): number {
  switch (ending.kind) {
    case 'crash':
    case 'hang':
    case 'timeout':
    case 'instruction-limit':
    case 'expect-failed':
    case 'interrupted':
      return exitStatus.guestFailedToEnd;
    case 'fail':
      return exitStatus.guestReportedFailure;
    default:
      return violations ? exitStatus.violations : exitStatus.ok;
  }
}

function makeDialogue(options: RunOptions): Dialogue | undefined {
  const lines: Line[] = [];
  if (options.send !== undefined) lines.push({ kind: 'send', bytes: parseSend('--send', options.send) });
  if (options.script !== undefined) {
    let text: string;
    try {
      text = fs.readFileSync(options.script, 'utf8');
    } catch (error) {
      throw new UsageError(
        `--script: ${options.script} cannot be read (${error instanceof Error ? error.message : String(error)})`,
      );
    }
    lines.push(...parseScript(options.script, text));
    if (options.expect !== undefined)
      lines.push({ kind: 'expect', regex: options.expect, text: options.expect.source });
  } else if (options.expect !== undefined)
    lines.push({ kind: 'expect', regex: options.expect, text: options.expect.source });
  else if (lines.length > 0) {
    // Only --send: the input is given at the start and the guest runs on.
    lines.push({ kind: 'expect', regex: /(?!)/, text: 'the end of the guest' });
  }
  return lines.length === 0 ? undefined : new Dialogue(lines);
}

/** A file that grows by what is written; it is created empty at once, so that a bad path is found before the run. */
function openFile(option: string, file: string): (text: string) => void {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, 'w');
  } catch (error) {
    throw new UsageError(
      `${option}: ${file} cannot be written (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  return (text) => {
    fs.writeSync(descriptor, text);
  };
}

/** Standard output may be a pipe that is full for a moment. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += fs.writeSync(descriptor, bytes, done);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
    }
  }
}
