// Copies the sample project to a folder of the user's and opens it.
import { chmod, constants, copyFile, mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';
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
  await copyWritable(source.fsPath, folder.fsPath);
  await vscode.commands.executeCommand('vscode.openFolder', folder);
  return folder;
}

/** The extension's folder may be read-only, and its package may have lost what can be run: the user's copy is writable and can be built. */
async function copyWritable(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [path.join(source, entry.name), path.join(target, entry.name)];
    if (entry.isDirectory()) await copyWritable(from, to);
    else {
      await copyFile(from, to, constants.COPYFILE_EXCL);
      await chmod(to, entry.name.endsWith('.sh') ? 0o755 : 0o644);
    }
  }
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
