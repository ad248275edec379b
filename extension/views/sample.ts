// Copies the sample project to a folder of the user's and opens it.
import { homedir } from 'node:os';
import * as vscode from 'vscode';

/** Resolves to the folder, or undefined when the user changed their mind. */
export async function openSampleProject(extension: vscode.ExtensionContext): Promise<vscode.Uri | undefined> {
  const source = vscode.Uri.joinPath(extension.extensionUri, 'media', 'sample');
  const here = 'Put it in my home folder';
  const elsewhere = 'Choose a folder…';
  const choice = await vscode.window.showInformationMessage(
    'The sample is a small bare-metal virtio-blk driver in C, once correct and once with seeded mistakes. It will be copied to a folder of yours.',
    { modal: true },
    here,
    elsewhere,
  );
  if (choice === undefined) return undefined;
  let parent = vscode.Uri.file(homedir());
  if (choice === elsewhere) {
    const picked = await vscode.window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      openLabel: 'Copy the sample here',
    });
    if (picked?.[0] === undefined) return undefined;
    parent = picked[0];
  }
  const folder = await freeFolder(parent, 'ringside-sample');
  await vscode.workspace.fs.copy(source, folder, { overwrite: false });
  await vscode.commands.executeCommand('vscode.openFolder', folder);
  return folder;
}

/** `name`, or `name-2`, … when it is taken: nothing of the user's is ever overwritten. */
async function freeFolder(parent: vscode.Uri, name: string): Promise<vscode.Uri> {
  for (let number = 1; ; number++) {
    const candidate = vscode.Uri.joinPath(parent, number === 1 ? name : `${name}-${number}`);
    const taken = await Promise.resolve(vscode.workspace.fs.stat(candidate)).then(
      () => true,
      () => false,
    );
    if (!taken) return candidate;
  }
}
