// Looks for guests in a folder: 64-bit RISC-V executables, and disk images beside them.
import { open } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';

const mostFiles = 200;
const skipped = '**/{node_modules,.git}/**';

/** 64-bit little-endian RISC-V executables, those nearest to the folder first. */
export async function findGuests(folder: vscode.WorkspaceFolder): Promise<readonly string[]> {
  const pattern = new vscode.RelativePattern(folder, '**/{*.elf,kernel,vmlinux}');
  const found = await vscode.workspace.findFiles(pattern, skipped, mostFiles);
  const guests = await Promise.all(found.map(async ({ fsPath }) => ((await isGuest(fsPath)) ? [fsPath] : [])));
  const depth = (file: string): number => file.split(path.sep).length;
  return guests.flat().sort((a, b) => depth(a) - depth(b) || a.localeCompare(b));
}

/** The disk images at the top of a folder: files `*.img` of whole sectors of 512 bytes. */
export async function findImages(folder: vscode.WorkspaceFolder): Promise<string[]> {
  const found = await vscode.workspace.findFiles(new vscode.RelativePattern(folder, '*.img'), skipped, mostFiles);
  const images: string[] = [];
  for (const uri of found) {
    const { size } = await vscode.workspace.fs.stat(uri);
    if (size > 0 && size % 512 === 0) images.push(uri.fsPath);
  }
  return images.sort();
}

/** [ELF header: EI_CLASS, EI_DATA, e_machine] */
async function isGuest(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
    const isElf = bytesRead === 20 && buffer.readUInt32BE(0) === 0x7f45_4c46;
    return isElf && buffer[4] === 2 && buffer[5] === 1 && buffer.readUInt16LE(18) === 243;
  } finally {
    await handle.close();
  }
}
