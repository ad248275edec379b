// What the manifest promises is there once the extension is active.
import assert from 'node:assert/strict';
import * as vscode from 'vscode';

const id = 'ringside.ringside';

/** What the tests read of the manifest. */
interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly breakpoints: readonly { readonly language: string }[];
  };
}

export function ringside(): vscode.Extension<unknown> {
  const extension = vscode.extensions.getExtension(id);
  assert.ok(extension, `the extension ${id} is installed`);
  return extension;
}

describe('the extension', () => {
  it('activates', async () => {
    await ringside().activate();
    assert.ok(ringside().isActive);
  });

  it('registers every command of its manifest', async () => {
    const manifest = ringside().packageJSON as Manifest;
    const known = new Set(await vscode.commands.getCommands(true));
    const promised = manifest.contributes.commands.map(({ command }) => command);
    assert.ok(promised.length > 10);
    assert.deepEqual(
      promised.filter((command) => !known.has(command)),
      [],
    );
  });

  it('takes breakpoints in the languages of guests', () => {
    const manifest = ringside().packageJSON as Manifest;
    const languages = manifest.contributes.breakpoints.map(({ language }) => language);
    for (const language of ['c', 'cpp', 'rust', 'zig']) assert.ok(languages.includes(language), language);
  });

  it('explains a rule as a document', async () => {
    const uri = vscode.Uri.parse('ringside-rule:/init.no-acknowledge.md');
    const shown = await vscode.workspace.openTextDocument(uri);
    assert.match(shown.getText(), /ACKNOWLEDGE/);
  });
});
