// Violations as Problems on their source lines, with actions. They stay until the same configuration starts again.
import * as vscode from 'vscode';
import type { ViolationReport } from '../debug/target';
import { levelWord } from '../debug/violation-text';
import type { Sessions, ViewedSession } from './sessions';

const severities = {
  must: vscode.DiagnosticSeverity.Error,
  should: vscode.DiagnosticSeverity.Warning,
  hazard: vscode.DiagnosticSeverity.Warning,
} as const;

export class Problems implements vscode.Disposable, vscode.CodeActionProvider, vscode.CodeLensProvider {
  private readonly collection = vscode.languages.createDiagnosticCollection('ringside');
  /** By configuration, then by session and number: one configuration may run twice at once. */
  private readonly byConfiguration = new Map<string, Map<string, ViolationReport>>();
  private readonly lensChange = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.lensChange.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(sessions: Sessions) {
    this.subscriptions = [
      sessions.onChange((session) => {
        if (session.standing !== 'ended') this.keepOnly(session);
      }),
      sessions.onViolation(({ session, violation }) => this.note(session, violation)),
      vscode.languages.registerCodeActionsProvider({ scheme: 'file' }, this, {
        providedCodeActionKinds: [vscode.CodeActionKind.QuickFix],
      }),
      vscode.languages.registerCodeLensProvider({ scheme: 'file' }, this),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.collection.dispose();
    this.lensChange.dispose();
  }

  provideCodeActions(
    document: vscode.TextDocument,
    _range: vscode.Range,
    context: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    return context.diagnostics.flatMap((diagnostic) => {
      const violation = this.violationOf(document.uri, diagnostic);
      return violation === undefined ? [] : actionsFor(violation, diagnostic);
    });
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    return this.at(document.uri).map((violation) => {
      const times = violation.count > 1 ? `, ${violation.count}×` : '';
      const line = Math.min((violation.source?.line ?? 1) - 1, document.lineCount - 1);
      return new vscode.CodeLens(new vscode.Range(line, 0, line, 0), {
        title: `$(error) ${violation.title} (${violation.device}${times})`,
        command: 'ringside.explainRule',
        arguments: [violation.rule],
        tooltip: 'What the specification demands here, and how to fix it',
      });
    });
  }

  /** What a session no longer knows is over: it began again, or its run went another way. */
  private keepOnly(session: ViewedSession): void {
    const list = this.byConfiguration.get(session.configurationKey);
    if (list === undefined) return;
    // A new session of a configuration replaces all of the sessions before it.
    const own = (key: string): boolean => session.violations.size === 0 || key.startsWith(`${session.id} `);
    const gone = [...list.entries()].filter(([key, { number }]) => own(key) && !session.violations.has(number));
    for (const [key] of gone) list.delete(key);
    if (gone.length > 0) this.publish();
  }

  private note(session: ViewedSession, violation: ViolationReport): void {
    let list = this.byConfiguration.get(session.configurationKey);
    if (list === undefined)
      this.byConfiguration.set(session.configurationKey, (list = new Map<string, ViolationReport>()));
    list.set(`${session.id} ${violation.number}`, violation);
    this.publish();
  }

  private publish(): void {
    const files = new Map<string, vscode.Diagnostic[]>();
    for (const violation of [...this.byConfiguration.values()].flatMap((list) => [...list.values()])) {
      if (violation.source === undefined) continue;
      const diagnostics = files.get(violation.source.file) ?? [];
      diagnostics.push(diagnosticOf(violation));
      files.set(violation.source.file, diagnostics);
    }
    this.collection.clear();
    for (const [file, diagnostics] of files) this.collection.set(vscode.Uri.file(file), diagnostics);
    this.lensChange.fire();
  }

  private at(uri: vscode.Uri): ViolationReport[] {
    return [...this.byConfiguration.values()]
      .flatMap((list) => [...list.values()])
      .filter(
        (violation) =>
          violation.source !== undefined && vscode.Uri.file(violation.source.file).toString() === uri.toString(),
      );
  }

  /** Diagnostics come back from the editor as plain ones, so theirs is found again by rule and line. */
  private violationOf(uri: vscode.Uri, diagnostic: vscode.Diagnostic): ViolationReport | undefined {
    if (diagnostic.source !== 'ringside' || typeof diagnostic.code !== 'object') return undefined;
    const rule = diagnostic.code.value;
    const line = diagnostic.range.start.line + 1;
    return this.at(uri).find((violation) => violation.rule === rule && violation.source?.line === line);
  }
}

function diagnosticOf(violation: ViolationReport): vscode.Diagnostic {
  const line = Math.max(0, (violation.source?.line ?? 1) - 1);
  const column = Math.max(0, (violation.source?.column ?? 1) - 1);
  const diagnostic = new vscode.Diagnostic(
    new vscode.Range(line, column, line, 1000),
    `${violation.title}: ${violation.message}\nFix: ${violation.fix}`,
    severities[violation.level],
  );
  diagnostic.source = 'ringside';
  diagnostic.code = { value: violation.rule, target: vscode.Uri.parse(violation.link) };
  const related = violation.related?.source;
  if (related !== undefined && violation.related !== undefined) {
    diagnostic.relatedInformation = [
      new vscode.DiagnosticRelatedInformation(
        new vscode.Location(vscode.Uri.file(related.file), new vscode.Position(related.line - 1, 0)),
        violation.related.description,
      ),
    ];
  }
  return diagnostic;
}

function actionsFor(violation: ViolationReport, diagnostic: vscode.Diagnostic): vscode.CodeAction[] {
  const action = (title: string, command: string, values: unknown[]): vscode.CodeAction => {
    const one = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
    one.command = { title, command, arguments: values };
    one.diagnostics = [diagnostic];
    return one;
  };
  return [
    action(`Explain this ${levelWord[violation.level]}: ${violation.title}`, 'ringside.explainRule', [violation.rule]),
    action(`Do not stop at this rule on ${violation.device} again (mute)`, 'ringside.muteRule', [
      violation.rule,
      violation.device,
    ]),
    ...(violation.related?.source === undefined
      ? []
      : [
          action(`Go to what it follows from: ${violation.related.description}`, 'ringside.goToSource', [
            violation.related.source.file,
            violation.related.source.line,
          ]),
        ]),
    action(`Open virtio 1.4, section ${violation.section}`, 'vscode.open', [vscode.Uri.parse(violation.link)]),
  ];
}
