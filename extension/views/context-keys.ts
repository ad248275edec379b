// What `when` clauses of the manifest can ask about the session that views show.
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

export function followSessions(sessions: Sessions): vscode.Disposable {
  const told = new Map<string, boolean>();
  const tell = (key: string, value: boolean): void => {
    if (told.get(key) === value) return;
    told.set(key, value);
    void vscode.commands.executeCommand('setContext', key, value);
  };
  const update = (): void => {
    const session = sessions.current;
    tell('ringside.hasSession', session !== undefined);
    tell('ringside.hasViolations', session !== undefined && session.violations.size > 0);
    tell('ringside.canGoBack', session?.canGoBack === true);
    tell('ringside.inPast', session?.inPast === true && session.standing === 'stopped');
    tell('ringside.atViolation', session?.stoppedAt !== undefined && session.standing === 'stopped');
  };
  return vscode.Disposable.from(
    sessions.onChange(update),
    sessions.onViolation(update),
    vscode.debug.onDidChangeActiveDebugSession(update),
  );
}
