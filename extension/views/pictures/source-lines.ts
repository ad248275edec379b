// A few lines of the guest's source around a position, for the story of a violation. A file that cannot be read gives no lines: the page
// says so in their place.
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { CodeLine, CodePosition } from '../../../webview/model/inspector';

/** Source files above this size are not read: no driver is. */
const largestFile = 4 * 1024 * 1024;
/** Longer lines are cut. */
const longestLine = 200;

interface Cached {
  readonly modified: number;
  readonly lines: readonly string[];
}
const files = new Map<string, Cached>();

function read(path: string): readonly string[] {
  if (!isAbsolute(path)) return [];
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Normal for code that was built on another machine.
    return [];
  }
  try {
    const { mtimeMs, size } = fstatSync(file);
    const known = files.get(path);
    if (known !== undefined && known.modified === mtimeMs) return known.lines;
    const lines = size > largestFile ? [] : readFileSync(file, 'utf8').split(/\r?\n/);
    files.set(path, { modified: mtimeMs, lines });
    return lines;
  } finally {
    closeSync(file);
  }
}

/** Lines from `before` above to `after` below the position, without the indentation that they share. */
export function sourceLines(position: CodePosition, before = 3, after = 3): readonly CodeLine[] {
  if (position.file === null || position.line === null) return [];
  const all = read(position.file);
  const first = Math.max(1, position.line - before);
  const chosen = all.slice(first - 1, position.line + after).map((line) => line.replaceAll('\t', '    '));
  if (position.line > all.length) return [];
  const indent = Math.min(
    ...chosen.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  );
  return chosen.map((line, at) => ({
    number: first + at,
    text: line.slice(Number.isFinite(indent) ? indent : 0).slice(0, longestLine),
  }));
}
