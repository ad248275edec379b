// Guest memory and guest code as read-only documents. They are read when they are opened, and anew at each stop.
import * as vscode from 'vscode';
import type { DisassembledInstruction } from '../debug/target';
import type { Sessions } from './sessions';

export const memoryScheme = 'ringside-memory';
export const codeScheme = 'ringside-code';

const mostBytes = 4096;
const instructionsBefore = 16;
const instructionsShown = 64;

export class GuestPages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly change = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.change.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly sessions: Sessions) {
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(memoryScheme, this),
      vscode.workspace.registerTextDocumentContentProvider(codeScheme, this),
      sessions.onStop(() => {
        for (const { uri } of vscode.workspace.textDocuments)
          if (uri.scheme === memoryScheme || uri.scheme === codeScheme) this.change.fire(uri);
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.change.dispose();
  }

  /** Guest-physical memory. */
  async showMemory(address: bigint, lengthBytes: number): Promise<void> {
    const length = Math.min(Math.max(lengthBytes, 64), mostBytes);
    await this.show(
      vscode.Uri.from({ scheme: memoryScheme, path: `/memory 0x${address.toString(16)}`, query: String(length) }),
    );
  }

  /** Code around a virtual address. */
  async showCode(address: bigint): Promise<void> {
    const editor = await this.show(vscode.Uri.from({ scheme: codeScheme, path: `/code 0x${address.toString(16)}` }));
    const start = editor.document.getText().indexOf(`${hex(address)} `);
    if (start < 0) return;
    const at = editor.document.positionAt(start);
    editor.selection = new vscode.Selection(at, at);
    editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenter);
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const session = this.sessions.current;
    const address = /0x[0-9a-f]{1,16}$/.exec(uri.path)?.[0];
    if (session === undefined || address === undefined) return 'The guest is gone.\n';
    const at = BigInt(address);
    try {
      if (uri.scheme === memoryScheme)
        return hexDump(at, await session.target.readMemory(at, Number(uri.query), 'physical', 0));
      const code = await session.target.disassemble(at, -instructionsBefore, instructionsShown, 0);
      return code.map(codeLine).join('');
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  private async show(uri: vscode.Uri): Promise<vscode.TextEditor> {
    const document = await vscode.workspace.openTextDocument(uri);
    this.change.fire(uri);
    return vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.One, preview: true });
  }
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function codeLine(row: DisassembledInstruction): string {
  const label = row.symbol === undefined ? '' : `\n${row.symbol}:\n`;
  const bytes = Array.from(row.bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${label}${hex(row.address)}  ${bytes.padEnd(11)}  ${row.text}\n`;
}

/** Sixteen bytes a line, with their printable characters. */
export function hexDump(start: bigint, bytes: Uint8Array): string {
  if (bytes.length === 0) return `There is no memory at 0x${start.toString(16)}.\n`;
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${hex(start + BigInt(at))}  ${digits.padEnd(47)}  ${text}\n`);
  }
  return lines.join('');
}
