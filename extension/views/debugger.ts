// Registers the debug type `virtio`: configurations, the adapter, one worker for each session.
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RingsideDebugAdapter } from '../debug/adapter';
import { ConfigurationError, type LaunchContext, parseLaunchConfiguration } from '../worker/parse-launch';
import { createWorkerTarget } from '../worker/worker-target';
import { findGuests, findImages } from './guest-files';
import type { Sessions } from './sessions';

export function registerDebugger(extension: vscode.ExtensionContext, sessions: Sessions): vscode.Disposable {
  const factory: vscode.DebugAdapterDescriptorFactory = {
    createDebugAdapterDescriptor: (session) => {
      const target = createWorkerTarget(path.join(extension.extensionPath, 'dist', 'worker.js'));
      sessions.add(session, target);
      const adapter = new RingsideDebugAdapter({
        target,
        parseLaunch: (raw) => parseLaunchConfiguration(raw, launchContext(session.workspaceFolder)),
        consolesElsewhere: true,
      });
      return new vscode.DebugAdapterInlineImplementation({
        onDidSendMessage: adapter.onDidSendMessage.bind(adapter),
        handleMessage: (message) => adapter.handleMessage(message as DebugProtocol.ProtocolMessage),
        // A session that fails to launch ends here, without ever being announced as ended.
        dispose: () => void sessions.end(session.id),
      });
    },
  };
  return vscode.Disposable.from(
    vscode.debug.registerDebugAdapterDescriptorFactory('virtio', factory),
    vscode.debug.registerDebugConfigurationProvider('virtio', new ConfigurationProvider()),
    vscode.debug.onDidTerminateDebugSession((session) => void sessions.end(session.id)),
  );
}

/** Relative paths start at the folder of the launch configuration, else at the first one. */
function launchContext(folder: vscode.WorkspaceFolder | undefined): LaunchContext {
  const base = (folder ?? vscode.workspace.workspaceFolders?.[0])?.uri.fsPath ?? process.cwd();
  return { resolvePath: (file) => path.resolve(base, file), mayWriteFiles: vscode.workspace.isTrusted };
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
    // Without a launch.json an object arrives that has hardly anything in it.
    const { type, request } = configuration as Partial<vscode.DebugConfiguration>;
    if (type !== undefined && type !== '' && request !== undefined && request !== '') return configuration;
    const place = folder ?? vscode.workspace.workspaceFolders?.[0];
    if (place === undefined) {
      const sample = 'Open Sample Project';
      const choice = await vscode.window.showInformationMessage(
        'Open the folder of your guest first, or try the sample.',
        sample,
      );
      if (choice === sample) await vscode.commands.executeCommand('ringside.openSample');
      return undefined;
    }
    const guests = await findGuests(place);
    const program = guests.length === 1 ? guests[0] : await pickGuest(guests, place);
    if (program === undefined) return undefined;
    const images = await findImages(place);
    const image = images.length > 1 ? await pickImage(images) : { file: images[0] };
    if (image === undefined) return undefined;
    return {
      ...configuration,
      type: 'virtio',
      request: 'launch',
      name: `Boot ${path.basename(program)}`,
      program,
      devices: [
        ...(image.file === undefined ? [] : [{ type: 'block', image: image.file }]),
        { type: 'console' },
        { type: 'entropy' },
      ],
    };
  }

  /** Says everything that is wrong before anything starts. */
  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    try {
      parseLaunchConfiguration(configuration, launchContext(folder));
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

async function pickGuest(found: readonly string[], folder: vscode.WorkspaceFolder): Promise<string | undefined> {
  if (found.length === 0) {
    const configure = 'Create launch.json';
    const choice = await vscode.window.showInformationMessage(
      'There is no launch.json here, and no ELF file for 64-bit RISC-V (*.elf, kernel, vmlinux). Tell Ringside which guest to boot.',
      configure,
    );
    if (choice === configure) await vscode.commands.executeCommand('workbench.action.debug.configure');
    return undefined;
  }
  const pick = await vscode.window.showQuickPick(
    found.map((file) => ({ label: path.basename(file), description: path.relative(folder.uri.fsPath, file), file })),
    { placeHolder: 'Which guest shall boot?', matchOnDescription: true },
  );
  return pick?.file;
}

/** Undefined when the user changed their mind; no file when the guest shall have no disk. */
function pickImage(images: readonly string[]): Thenable<{ readonly file?: string } | undefined> {
  return vscode.window.showQuickPick<vscode.QuickPickItem & { readonly file?: string }>(
    [...images.map((file) => ({ label: path.basename(file), file })), { label: 'No disk' }],
    { placeHolder: 'Which image is the guest’s disk? It is not changed.' },
  );
}
