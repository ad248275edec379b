// Ways to a place: source lines, memory, rules.
import * as vscode from 'vscode';

/** Opens a file beside nothing that the user is looking at: in the first editor group. */
export async function openSource(file: string, line: number): Promise<void> {
  const position = new vscode.Position(Math.max(0, line - 1), 0);
  const uri = vscode.Uri.file(file);
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      selection: new vscode.Range(position, position),
      viewColumn: vscode.ViewColumn.One,
    });
  } catch {
    void vscode.window.showWarningMessage(
      `${file} is not here. The debug information names it; set "sourceFolder" in the launch configuration to the folder that holds the guest's sources.`,
    );
  }
}
