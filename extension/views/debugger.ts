// Registers the debug type `virtio`: configurations, the adapter, one worker for each session.
import * as path from 'node:path';
import * as vscode from 'vscode';
import { RingsideDebugAdapter } from '../debug/adapter';
import { ConfigurationError, parseLaunchConfiguration } from '../worker/parse-launch';
import { createWorkerTarget } from '../worker/worker-target';
import type { Sessions } from './sessions';

export function registerDebugger(extension: vscode.ExtensionContext, sessions: Sessions): vscode.Disposable {
  const factory: vscode.DebugAdapterDescriptorFactory = {
    createDebugAdapterDescriptor: (session) => {
      const target = createWorkerTarget(path.join(extension.extensionPath, 'dist', 'worker.js'));
      sessions.add(session, target);
      const folder =
        session.workspaceFolder?.uri.fsPath ?? vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd();
      const adapter = new RingsideDebugAdapter({
        target,
        parseLaunch: (raw) =>
          parseLaunchConfiguration(raw, {
            resolvePath: (file) => path.resolve(folder, file),
            mayWriteFiles: vscode.workspace.isTrusted,
          }),
        consolesElsewhere: true,
      });
      return new vscode.DebugAdapterInlineImplementation(adapter);
    },
  };
  return vscode.Disposable.from(
    vscode.debug.registerDebugAdapterDescriptorFactory('virtio', factory),
    vscode.debug.registerDebugConfigurationProvider('virtio', new ConfigurationProvider()),
    vscode.debug.onDidTerminateDebugSession((session) => void sessions.end(session.id)),
  );
}

class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [
      {
        type: 'virtio',
        request: 'launch',
        name: 'Boot my guest',
        program: '${workspaceFolder}/kernel.elf',
        devices: [{ type: 'block', image: '${workspaceFolder}/disk.img' }, { type: 'console' }, { type: 'entropy' }],
      },
    ];
  }

  /** F5 without a launch.json: takes the only guest there is, or asks. */
  async resolveDebugConfiguration(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | null | undefined> {
    if (configuration.type !== '' && configuration.request !== '' && Object.keys(configuration).length > 0)
      return configuration;
    if (folder === undefined) {
      void vscode.window.showInformationMessage(
        'Open a folder with your guest first, or run “Ringside: Open Sample Project”.',
      );
      return undefined;
    }
    const found = await vscode.workspace.findFiles(
      new vscode.RelativePattern(folder, '**/*.elf'),
      '**/node_modules/**',
      50,
    );
    const program = found.length === 1 ? found[0]?.fsPath : await pickGuest(found, folder);
    if (program === undefined) return null;
    return { type: 'virtio', request: 'launch', name: `Boot ${path.basename(program)}`, program, devices: [] };
  }

  /** Says everything that is wrong before anything starts. */
  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    try {
      const base = folder?.uri.fsPath ?? process.cwd();
      parseLaunchConfiguration(configuration, {
        resolvePath: (file) => path.resolve(base, file),
        mayWriteFiles: vscode.workspace.isTrusted,
      });
      return configuration;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      const open = 'Open launch.json';
      void vscode.window
        .showErrorMessage(`“${configuration.name}” cannot start. ${error.problems.join(' · ')}`, open)
        .then((choice) => {
          if (choice === open) void vscode.commands.executeCommand('workbench.action.debug.configure');
        });
      return undefined;
    }
  }
}

async function pickGuest(found: readonly vscode.Uri[], folder: vscode.WorkspaceFolder): Promise<string | undefined> {
  if (found.length === 0) {
    const configure = 'Create launch.json';
    const choice = await vscode.window.showInformationMessage(
      'There is no launch.json and no .elf file in this folder. Tell Ringside which guest to boot.',
      configure,
    );
    if (choice === configure) await vscode.commands.executeCommand('workbench.action.debug.configure');
    return undefined;
  }
  const pick = await vscode.window.showQuickPick(
    found.map((uri) => ({
      label: path.basename(uri.fsPath),
      description: path.relative(folder.uri.fsPath, uri.fsPath),
      uri,
    })),
    { placeHolder: 'Which guest shall boot?' },
  );
  return pick?.uri.fsPath;
}
