// The identifiers of a source line, without those in comments and texts.

export interface Word {
  readonly word: string;
  /** From 0. */
  readonly column: number;
}

/** Members (`a.b`, `a->b`) and called functions are no variables; neither is anything in a comment or a quoted text. */
export function words(line: string): readonly Word[] {
  const found: Word[] = [];
  const token = /\/\/.*|\/\*.*?(?:\*\/|$)|^\s*\*.*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*|\d\w*/g;
  for (const match of line.matchAll(token)) {
    const [word] = match;
    const before = line.slice(0, match.index);
    const after = line.slice(match.index + word.length);
    if (/^[A-Za-z_]/.test(word) && !/(?:\.|->)\s*$/.test(before) && !/^\s*\(/.test(after))
      found.push({ word, column: match.index });
  }
  return found;
}
