// What the inspector page asks for, done in VS Code.
import * as vscode from 'vscode';
import type { Intent } from '../../webview/model/messages';
import type { Mutes } from './mutes';
import { openSource } from './navigation';
import type { Sessions } from './sessions';
import type { InspectorPageHost } from './inspector-host';

export function createIntentHandler(sessions: Sessions, mutes: Mutes) {
  return (intent: Intent, page: InspectorPageHost): void => {
    perform(intent, page, sessions, mutes).catch((error: unknown) => {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    });
  };
}

async function perform(intent: Intent, page: InspectorPageHost, sessions: Sessions, mutes: Mutes): Promise<void> {
  const session = sessions.current;
  switch (intent.type) {
    case 'goToSource':
      return openSource(intent.file, intent.line);
    case 'goToAddress':
      await vscode.commands.executeCommand('ringside.showCode', intent.pc);
      return;
    case 'showMemory':
      await vscode.commands.executeCommand('ringside.showMemory', intent.address, intent.lengthBytes);
      return;
    case 'breakWhenChanges':
      await vscode.commands.executeCommand('ringside.breakWhenChanges', intent.address, intent.lengthBytes);
      return;
    case 'nextRingEvent':
      await vscode.commands.executeCommand('ringside.nextRingEvent');
      return;
    case 'previousRingEvent':
      await vscode.commands.executeCommand('ringside.previousRingEvent');
      return;
    case 'goToEvent':
      await vscode.commands.executeCommand('ringside.goToEvent', intent.event);
      return;
    case 'goToLiveEnd':
      await vscode.commands.executeCommand('ringside.goToLiveEnd');
      return;
    case 'continue':
      await vscode.commands.executeCommand('workbench.action.debug.continue');
      return;
    case 'pause':
      await vscode.commands.executeCommand('workbench.action.debug.pause');
      return;
    case 'mute':
    case 'unmute': {
      const violation = session?.violations.get(intent.violation);
      if (violation === undefined) return;
      await (intent.type === 'mute'
        ? mutes.add(violation.rule, violation.device)
        : mutes.remove(violation.rule, violation.device));
      page.refresh();
      return;
    }
    case 'openRule':
      await vscode.commands.executeCommand('ringside.explainRule', intent.rule);
      return;
    case 'openSpec':
      await vscode.commands.executeCommand('ringside.openSpecification', intent.section);
      return;
    case 'copy':
      await vscode.env.clipboard.writeText(intent.text);
      return;
    case 'openSample':
      await vscode.commands.executeCommand('ringside.openSample');
      return;
    case 'startDebugging':
      await vscode.commands.executeCommand('workbench.action.debug.start');
      return;
    case 'openWalkthrough':
      await vscode.commands.executeCommand('ringside.openWalkthrough');
      return;
    case 'ready':
    case 'rendered':
    case 'selectDevice':
    case 'selectQueue':
    case 'showRows':
    case 'showScreen':
      return;
  }
}
