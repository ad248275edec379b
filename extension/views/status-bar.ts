// One item in the status bar while a guest is there: what it does, and a way to the inspector.
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

export function createStatusBarItem(sessions: Sessions): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('ringside.status', vscode.StatusBarAlignment.Left, 10);
  item.name = 'Ringside';
  item.command = 'ringside.openInspector';
  const update = (): void => {
    const session = sessions.current;
    if (session === undefined || session.standing === 'ended') return item.hide();
    const count = session.violations.size;
    const words = {
      starting: '$(loading~spin) virtio: starting',
      running: '$(pulse) virtio: running',
      stopped: session.inPast ? '$(history) virtio: in the past' : '$(debug-pause) virtio: stopped',
      ended: '',
    };
    item.text = `${words[session.standing]}${count === 0 ? '' : ` · $(error) ${count}`}`;
    item.tooltip = `${session.name}: ${count === 0 ? 'no violation so far' : `${count} ${count === 1 ? 'violation' : 'violations'}`}. Opens the Ringside inspector.`;
    item.show();
  };
  const subscriptions = [
    item,
    sessions.onChange(update),
    sessions.onViolation(update),
    vscode.debug.onDidChangeActiveDebugSession(update),
  ];
  return vscode.Disposable.from(...subscriptions);
}
