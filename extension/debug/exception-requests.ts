// Rule families as exception filters, and the widget of a violation.
import type { DebugProtocol } from '@vscode/debugprotocol';
import { evaluateCondition } from './condition';
import { readFields } from './protocol-values';
import type { DebugTarget, PolicyEntry, StopReason } from './target';
import { violationText, violationTitle } from './violation-text';

type Handler = (values: unknown) => Promise<object | undefined>;

export class ExceptionRequests {
  private last: { reason: StopReason; hart: number } | undefined;
  private known: readonly string[] = [];
  private ignored = false;

  constructor(private readonly target: DebugTarget) {}

  handlers(): readonly (readonly [string, Handler])[] {
    return [
      ['setExceptionBreakpoints', (values) => this.setFilters(values)],
      ['exceptionInfo', (values) => this.info(values)],
    ];
  }

  note(reason: StopReason, hart: number): void {
    this.last = { reason, hart };
  }

  async filters(): Promise<{ exceptionBreakpointFilters: DebugProtocol.ExceptionBreakpointsFilter[] }> {
    const families = await this.target.ruleFamilies();
    this.known = families.map((family) => family.id);
    return {
      exceptionBreakpointFilters: families.map((family) => ({
        filter: family.id,
        label: `virtio: ${family.title}`,
        description: family.description,
        default: true,
        supportsCondition: true,
        conditionDescription:
          'Stop only when true: rule == "…", device == "vda", queue == 0, function =~ "^blk", count < 3',
      })),
    };
  }

  /** The guest runs without debugging: every rule reports, none stops. */
  async ignore(): Promise<void> {
    this.ignored = true;
    const families = await this.target.ruleFamilies();
    await this.target.setPolicy(
      'filter',
      families.map(({ id }) => ({ pattern: id, action: 'report' })),
    );
  }

  /** A family that is switched off still reports; only its rules' stops end. */
  private async setFilters(values: unknown): Promise<object> {
    const fields = readFields(values);
    const plain = fields.list('filters').filter((one): one is string => typeof one === 'string');
    const options = fields.list('filterOptions').map((entry) => {
      const one = readFields(entry);
      return { id: one.text('filterId') ?? '', condition: one.text('condition') ?? '' };
    });
    const chosen = new Map([
      ...plain.map((id) => [id, ''] as const),
      ...options.map(({ id, condition }) => [id, condition] as const),
    ]);
    const problems = [...chosen].map(([id, condition]) => this.problem(id, condition));
    const entries = this.known.flatMap((family): PolicyEntry[] => {
      const condition = chosen.get(family);
      if (condition === undefined) return [{ pattern: family, action: 'report' }];
      // A plain filter leaves what the rules' own levels and the launch configuration say.
      return condition === '' || this.problem(family, condition) !== undefined
        ? []
        : [{ pattern: family, action: 'break', condition }];
    });
    if (!this.ignored) await this.target.setPolicy('filter', entries);
    return {
      breakpoints: problems.map((message) => ({
        verified: message === undefined,
        ...(message !== undefined && { message }),
      })),
    };
  }

  private problem(id: string, condition: string): string | undefined {
    if (!this.known.includes(id)) return `There is no rule family "${id}".`;
    if (condition === '') return undefined;
    const sample = new Map(
      [
        'rule',
        'level',
        'family',
        'section',
        'device',
        'queue',
        'hart',
        'pc',
        'step',
        'count',
        'function',
        'file',
        'line',
        'message',
      ].map((name) => [name, 0n]),
    );
    const result = evaluateCondition(condition, sample);
    // Evidence differs from rule to rule, so names that are unknown here may exist later.
    return result.ok || result.message.startsWith('unknown name') ? undefined : result.message;
  }

  private info(values: unknown): Promise<object> {
    const thread = readFields(values).whole('threadId');
    if (this.last === undefined || thread !== this.last.hart + 1)
      return Promise.reject(new Error('This hart did not stop on a violation.'));
    const { reason } = this.last;
    if (reason.kind === 'trap') {
      return Promise.resolve({ exceptionId: 'guest is lost', description: reason.description, breakMode: 'always' });
    }
    if (reason.kind !== 'violation') return Promise.reject(new Error('This hart did not stop on a violation.'));
    const { violation } = reason;
    return Promise.resolve({
      exceptionId: violationTitle(violation),
      description: violationText(violation),
      breakMode: 'always',
      details: {
        message: violation.message,
        typeName: violation.rule,
        fullTypeName: `${violation.family}/${violation.rule}`,
        stackTrace: violation.stack
          .map(
            (frame) =>
              `${frame.name}${frame.source === undefined ? '' : ` at ${frame.source.file}:${frame.source.line}`}`,
          )
          .join('\n'),
      },
    });
  }
}
