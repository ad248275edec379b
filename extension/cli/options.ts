// The command line: what each option means, and a clear refusal of everything else. [design: command line]
import * as path from 'node:path';
import { ConfigurationError, parseLaunchConfiguration, suggestion } from '../worker/parse-launch';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import type { RuleLevel } from '../../emulator/virtio/violation';

/** A command line that cannot be understood: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const reportFormats = ['text', 'json', 'sarif', 'junit'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export interface RunOptions {
  readonly configuration: LaunchConfiguration;
  readonly failOn: RuleLevel;
  readonly onViolation: 'stop' | 'continue';
  readonly expect: RegExp | undefined;
  readonly send: string | undefined;
  readonly script: string | undefined;
  readonly maxInstructions: number | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly reports: readonly { readonly format: ReportFormat; readonly file: string | undefined }[];
  readonly trace: string | undefined;
  readonly stats: string | undefined;
  /** How many seeds are tried after the run as configured; undefined: no campaign. */
  readonly campaign: number | undefined;
}

/** Options of `run` that take a value. */
const valueOptions = [
  '--bios', '--kernel', '--initrd', '--append', '--dtb', '--memory', '--harts', '--aia', '--device', '--rules', '--fail-on', '--on-violation',
  '--expect', '--send', '--script', '--max-instructions', '--timeout', '--clock', '--report', '--trace', '--stats', '--symbols',
  '--accessor', '--seed', '--campaign',
] as const; // prettier-ignore
type ValueOption = (typeof valueOptions)[number];
/** Part of later work: refused by name. */
const laterOptions = ['--history'];

export function parseRun(words: readonly string[]): RunOptions {
  const values = new Map<ValueOption, string[]>();
  const guests: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (!word.startsWith('-') || word === '-') {
      guests.push(word);
      continue;
    }
    const [name = '', ...rest] = word.split('=');
    if (laterOptions.includes(name)) throw new UsageError(`${name} is not available in this version of Ringside.`);
    const option = valueOptions.find((known) => known === name);
    if (option === undefined)
      throw new UsageError(
        `unknown option ${name}${suggestion(name, valueOptions)}; "ringside help" lists the options`,
      );
    let value = rest.length > 0 ? rest.join('=') : words[++i];
    if (value === undefined) throw new UsageError(`${name} needs a value`);
    if (option === '--device' && rest.length > 0) value = rest.join('=');
    values.set(option, [...(values.get(option) ?? []), value]);
  }
  const one = (option: ValueOption): string | undefined => {
    const given = values.get(option) ?? [];
    if (given.length > 1) throw new UsageError(`${option} was given ${given.length} times; it counts once`);
    return given[0];
  };
  if (guests.length > 1) throw new UsageError(`found ${guests.length} guests (${guests.join(', ')}), expected one`);
  const kernel = one('--kernel');
  if (kernel !== undefined && guests.length > 0)
    throw new UsageError('GUEST and --kernel are the same: give one of them');
  const raw: Record<string, unknown> = { type: 'virtio', request: 'launch', clock: one('--clock') ?? 'warp' };
  const guest = guests[0] ?? kernel;
  if (guest !== undefined) {
    raw['program'] = guest;
    raw['name'] = path.basename(guest);
  }
  const texts: readonly (readonly [ValueOption, string])[] = [['--bios', 'bios'], ['--initrd', 'initrd'], ['--append', 'append'], ['--dtb', 'dtb'], ['--memory', 'memory'], ['--aia', 'aia']]; // prettier-ignore
  for (const [option, attribute] of texts) {
    const value = one(option);
    if (value !== undefined) raw[attribute] = value;
  }
  const harts = one('--harts');
  if (harts !== undefined) raw['harts'] = whole('--harts', harts);
  const seed = one('--seed');
  if (seed !== undefined) raw['seed'] = whole('--seed', seed);
  raw['symbols'] = values.get('--symbols') ?? [];
  raw['accessors'] = values.get('--accessor') ?? [];
  raw['devices'] = (values.get('--device') ?? []).map(parseDevice);
  raw['rules'] = parseRules((values.get('--rules') ?? []).join(','));
  const failOn = choice('--fail-on', one('--fail-on') ?? 'must', ['must', 'should', 'hazard']);
  const maxInstructions = one('--max-instructions');
  const timeout = one('--timeout');
  const expect = one('--expect');
  let configuration: LaunchConfiguration;
  try {
    configuration = parseLaunchConfiguration(raw, { resolvePath: (file) => path.resolve(file), mayWriteFiles: true });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new UsageError(error.problems.join('\n'));
  }
  return {
    configuration,
    failOn,
    onViolation: choice('--on-violation', one('--on-violation') ?? 'continue', ['stop', 'continue']),
    expect: expect === undefined ? undefined : pattern('--expect', expect),
    send: one('--send'),
    script: one('--script'),
    maxInstructions: maxInstructions === undefined ? undefined : whole('--max-instructions', maxInstructions),
    timeoutSeconds: timeout === undefined ? undefined : seconds('--timeout', timeout),
    reports: (values.get('--report') ?? []).map(parseReport),
    trace: one('--trace'),
    stats: one('--stats'),
    campaign: campaignSeeds(one('--campaign')),
  };
}

/** `block,image=d.img,transport=mmio,features=+EVENT_IDX:-INDIRECT_DESC` */
function parseDevice(text: string): Record<string, unknown> {
  const [type = '', ...pairs] = text.split(',');
  const device: Record<string, unknown> = { type };
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`--device ${text}: found "${pair}", expected key=value`);
    const key = pair.slice(0, at);
    const value = pair.slice(at + 1);
    if (key.startsWith('pci.'))
      device['pci'] = { ...asFields(device['pci']), [key.slice(4)]: pciValue(type, key, value) };
    else if (['slot', 'queueSize', 'pairs', 'mtu'].includes(key)) device[key] = whole(`--device ${type},${key}`, value);
    else if (key === 'hostile') device[key] = value === 'true' ? true : value === 'false' ? false : value;
    else if (key === 'features') device[key] = value.split(/[:;+ ]*(?=[+-])/).filter((one) => one !== '');
    else device[key] = value;
  }
  return device;
}

/** `pci.bar=2`, and lists with colons: `pci.capabilities=notify:common:isr`. */
function pciValue(type: string, key: string, text: string): unknown {
  const list = text.split(':');
  if (key === 'pci.capabilities') return list;
  if (key === 'pci.queueNotifyOff' || key === 'pci.queueNotifConfigData')
    return list.map((one) => whole(`--device ${type},${key}`, one));
  return key === 'pci.barSpace' ? text : whole(`--device ${type},${key}`, text);
}
function asFields(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** `must=report,ordering.*=off` */
function parseRules(text: string): Record<string, string> {
  const rules: Record<string, string> = {};
  for (const pair of text.split(',').filter((one) => one.trim() !== '')) {
    const [name, action, ...rest] = pair.split('=').map((one) => one.trim());
    if (name === undefined || name === '' || action === undefined || rest.length > 0)
      throw new UsageError(`--rules: found "${pair}", expected rule=break, rule=report or rule=off`);
    rules[name] = action;
  }
  return rules;
}

function parseReport(text: string): { format: ReportFormat; file: string | undefined } {
  const [format = '', ...rest] = text.split(':');
  return { format: choice('--report', format, reportFormats), file: rest.length === 0 ? undefined : rest.join(':') };
}

const mostSeeds = 100_000;
function campaignSeeds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seeds = whole('--campaign', text);
  if (seeds >= 1 && seeds <= mostSeeds) return seeds;
  throw new UsageError(`--campaign: found ${seeds}, expected 1 to ${mostSeeds} seeds`);
}

function whole(option: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : /^\d+(\.\d+)?e\d+$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new UsageError(`${option}: found "${text}", expected a whole number`);
  return value;
}
function seconds(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0)
    throw new UsageError(`${option}: found "${text}", expected seconds above 0`);
  return value;
}
function choice<Choice extends string>(option: string, text: string, allowed: readonly Choice[]): Choice {
  const found = allowed.find((one) => one === text);
  if (found === undefined) throw new UsageError(`${option}: found "${text}", expected one of ${allowed.join(', ')}`);
  return found;
}
export function pattern(option: string, text: string): RegExp {
  try {
    return new RegExp(text, 'm');
  } catch (error) {
    throw new UsageError(
      `${option}: "${text}" is not a regular expression (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}
