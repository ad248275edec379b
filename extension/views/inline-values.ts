// Inline values: behind each line of the stopped function, what its variables hold now. Names are looked up in the frame that the editor
// shows, so that a word of a comment or another scope is not taken for a variable.
import * as vscode from 'vscode';
import { words } from './words';

/** Languages whose functions end with a brace in the first column, or are at most this long. */
export const inlineValueLanguages = ['c', 'cpp', 'rust', 'zig'];
const longestFunction = 200;

export class InlineValues implements vscode.InlineValuesProvider {
  async provideInlineValues(
    document: vscode.TextDocument,
    viewPort: vscode.Range,
    context: vscode.InlineValueContext,
  ): Promise<vscode.InlineValue[]> {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== 'virtio') return [];
    const known = await namesInFrame(session, context.frameId);
    if (known.size === 0) return [];
    const last = context.stoppedLocation.end.line;
    const first = Math.max(viewPort.start.line, functionStart(document, last));
    const values: vscode.InlineValue[] = [];
    for (let line = first; line <= Math.min(last, viewPort.end.line); line++) {
      for (const { word, column } of words(document.lineAt(line).text)) {
        if (!known.has(word)) continue;
        const range = new vscode.Range(line, column, line, column + word.length);
        values.push(new vscode.InlineValueVariableLookup(range, word, true));
      }
    }
    return values;
  }
}

/** Arguments and locals; globals and registers are too many to read at each stop. */
async function namesInFrame(session: vscode.DebugSession, frameId: number): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  try {
    const { scopes } = (await session.customRequest('scopes', { frameId })) as {
      readonly scopes: readonly {
        readonly expensive: boolean;
        readonly presentationHint?: string;
        readonly variablesReference: number;
      }[];
    };
    for (const { presentationHint, variablesReference } of scopes) {
      if (presentationHint !== 'arguments' && presentationHint !== 'locals') continue;
      const { variables } = (await session.customRequest('variables', { variablesReference })) as {
        readonly variables: readonly { readonly name: string; readonly value: string }[];
      };
      // What was optimised out says so in the variables view; in the source it would only be in the way.
      for (const { name, value } of variables) if (!value.startsWith('<')) names.add(name);
    }
  } catch {
    // The guest moved on while the editor was asking: it asks again at the next stop.
    names.clear();
  }
  return names;
}

function functionStart(document: vscode.TextDocument, stopped: number): number {
  const oldest = Math.max(0, stopped - longestFunction);
  for (let line = stopped - 1; line >= oldest; line--) if (/^[}]/.test(document.lineAt(line).text)) return line + 1;
  return oldest;
}
