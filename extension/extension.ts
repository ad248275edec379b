// What VS Code activates. It only registers; machines, symbols and rules are loaded when a guest starts.
import * as vscode from 'vscode';
import { registerCommands } from './views/commands';
import { followSessions } from './views/context-keys';
import { DataBreakpoints } from './views/data-breakpoints';
import { registerDebugger } from './views/debugger';
import { DevicesTree } from './views/devices-tree';
import { GuestPages } from './views/guest-pages';
import { InlineValues, inlineValueLanguages } from './views/inline-values';
import { Inspector } from './views/inspector';
import { createIntentHandler } from './views/intents';
import { Mutes } from './views/mutes';
import { Problems } from './views/problems';
import { RulePages, ruleScheme } from './views/rule-page';
import { RulesTree } from './views/rules-tree';
import { Sessions } from './views/sessions';
import { createStatusBarItem } from './views/status-bar';
import { ConsoleTerminals } from './views/terminals';
import { familySummaries, ruleSummaries } from './worker/rule-summary';

export function activate(context: vscode.ExtensionContext): void {
  const sessions = new Sessions();
  const mutes = new Mutes(context.workspaceState, sessions);
  const dataBreakpoints = new DataBreakpoints(sessions);
  const pages = new GuestPages(sessions);
  const inspector = new Inspector(context.extensionUri, sessions, createIntentHandler(sessions, mutes));
  const rules = (): typeof ruleSummaries => ruleSummaries;
  context.subscriptions.push(
    sessions,
    mutes,
    dataBreakpoints,
    pages,
    inspector,
    registerDebugger(context, sessions),
    registerCommands({ extension: context, sessions, mutes, dataBreakpoints, pages, inspector, rules }),
    followSessions(sessions),
    new ConsoleTerminals(sessions),
    new Problems(sessions),
    new DevicesTree(sessions, dataBreakpoints),
    new RulesTree({ families: familySummaries, rules: ruleSummaries }, sessions, mutes, context.workspaceState),
    createStatusBarItem(sessions),
    vscode.workspace.registerTextDocumentContentProvider(ruleScheme, new RulePages(rules)),
    vscode.languages.registerInlineValuesProvider(
      inlineValueLanguages.map((language) => ({ language })),
      new InlineValues(),
    ),
  );
}

export function deactivate(): void {
  // Everything is disposed of with the context's subscriptions.
}
