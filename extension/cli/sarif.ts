// Reports for other tools: SARIF 2.1.0 for code scanning, JUnit XML for test dashboards. [SARIF 2.1.0, 3.13; design: command line]
import type { ViolationReport } from '../debug/target';
import { brokenBySeeds, endingText, isBadEnding } from './campaign';
import type { ReportInput } from './report';

const sarifLevel = { must: 'error', should: 'warning', hazard: 'note' } as const;

export function sarifReport({ result, campaign }: ReportInput): string {
  const rules = [...new Map(result.violations.map((violation) => [violation.rule, violation])).values()];
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Ringside',
            rules: rules.map((violation) => ({
              id: violation.rule,
              shortDescription: { text: violation.title },
              fullDescription: { text: violation.why },
              help: { text: violation.fix },
              helpUri: violation.link,
              defaultConfiguration: { level: sarifLevel[violation.level] },
            })),
          },
        },
        ...(campaign !== undefined && {
          invocations: campaign.runs.map(({ command, ending }) => ({
            commandLine: command,
            executionSuccessful: !isBadEnding(ending),
            ...(isBadEnding(ending) && {
              toolExecutionNotifications: [{ level: 'error', message: { text: `the guest: ${endingText(ending)}` } }],
            }),
          })),
        }),
        results: result.violations.map((violation, i) => ({
          ruleId: violation.rule,
          level: sarifLevel[violation.level],
          message: { text: `${violation.message} ${violation.fix}` },
          locations: locations(violation),
          occurrenceCount: violation.count,
          ...seenUnder(campaign?.violations[i]),
        })),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

/** The run of a campaign that shows it first, as properties of a result. */
function seenUnder(found: NonNullable<ReportInput['campaign']>['violations'][number] | undefined): object {
  return found === undefined ? {} : { properties: { seed: found.seed, moods: found.moods, command: found.command } };
}

function locations({ source, function: name, pc }: ViolationReport): readonly object[] {
  const place = { fullyQualifiedName: name };
  const address = { absoluteAddress: Number(pc & 0x1f_ffff_ffff_ffffn) };
  return [
    {
      logicalLocations: [place],
      physicalLocation:
        source === undefined
          ? { address }
          : { artifactLocation: { uri: uriOf(source.file) }, region: { startLine: source.line }, address },
    },
  ];
}

/** Absolute paths as file URIs; relative ones as they are. */
function uriOf(file: string): string {
  const encoded = file.split(/[\\/]/).map(encodeURIComponent).join('/');
  return file.startsWith('/') ? `file://${encoded}` : encoded;
}

export function junitReport({ guest, result, campaign }: ReportInput): string {
  const { violations, ending, wallSeconds } = result;
  const seconds = wallSeconds.toFixed(3);
  const isWrong = isBadEnding(ending);
  const broken = campaign === undefined ? [] : brokenBySeeds(campaign);
  const end = `  <testcase classname="${xml(guest)}" name="the guest ends" time="${seconds}">${
    isWrong ? `<failure message="${xml('text' in ending ? ending.text : ending.kind)}"/>` : ''
  }</testcase>`;
  const seeds = broken.map(
    (run) =>
      `  <testcase classname="${xml(guest)}" name="the guest ends with seed ${run.seed}"><failure message="${xml(endingText(run.ending))}">${xml(run.command)}</failure></testcase>`,
  );
  const cases = violations.map(
    (violation, i) =>
      `  <testcase classname="${xml(`${guest}.${violation.family}`)}" name="${xml(`${violation.rule} at ${where(violation)}`)}"><failure type="${violation.level}" message="${xml(violation.title)}">${xml(`${violation.message}\n${violation.fix}\nvirtio 1.4, ${violation.section}: ${violation.link}${again(campaign?.violations[i]?.command)}`)}</failure></testcase>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${xml(guest)}" tests="${violations.length + seeds.length + 1}" failures="${violations.length + seeds.length + (isWrong ? 1 : 0)}" time="${seconds}">`,
    end,
    ...seeds,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}

function again(command: string | undefined): string {
  return command === undefined ? '' : `\nagain: ${command}`;
}

function where({ source, function: name, pc }: ViolationReport): string {
  return source === undefined ? `${name} (pc 0x${pc.toString(16)})` : `${source.file}:${source.line}`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** Text in XML; control characters, which XML has no form for, become question marks. */
function xml(text: string): string {
  return Array.from(text, (letter) =>
    letter < ' ' && letter !== '\n' && letter !== '\t' ? '?' : (entities[letter] ?? letter),
  ).join('');
}
