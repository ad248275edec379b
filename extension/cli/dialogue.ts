// A dialogue with the guest's console: expect, send, timeout. Everything is decided by the output so far, never by the wall clock, except
// the time limit of an expect.
import { pattern, UsageError } from './options';

export type Line =
  | { readonly kind: 'expect'; readonly regex: RegExp; readonly text: string }
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'timeout'; readonly seconds: number };

/** @throws UsageError naming the line */
export function parseScript(name: string, text: string): readonly Line[] {
  return text.split(/\r?\n/).flatMap((raw, index): Line[] => {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) return [];
    const [, word = '', rest = ''] = /^(\S+)(?: (.*))?$/.exec(line) ?? [];
    const at = `${name}:${index + 1}`;
    switch (word) {
      case 'expect':
        if (rest === '') throw new UsageError(`${at}: expect needs a regular expression`);
        return [{ kind: 'expect', regex: pattern(at, rest), text: rest }];
      case 'send':
        return [{ kind: 'send', bytes: parseSend(at, rest) }];
      case 'timeout': {
        const seconds = Number(rest);
        if (!(seconds > 0)) throw new UsageError(`${at}: found "timeout ${rest}", expected seconds above 0`);
        return [{ kind: 'timeout', seconds }];
      }
      default:
        throw new UsageError(`${at}: found "${word}", expected expect, send, timeout or # comment`);
    }
  });
}

/** `\r`, `\n`, `\t`, `\\`, `\xNN`; other text as UTF-8. */
export function parseSend(at: string, text: string): Uint8Array {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let i = 0; i < text.length;) {
    if (text[i] !== '\\') {
      const point = String.fromCodePoint(text.codePointAt(i) ?? 0);
      bytes.push(...encoder.encode(point));
      i += point.length;
      continue;
    }
    const simple = { r: 13, n: 10, t: 9, '\\': 92, '0': 0 }[text[i + 1] ?? ''];
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(text.slice(i, i + 4));
    if (simple !== undefined) {
      bytes.push(simple);
      i += 2;
    } else if (hex?.[1] !== undefined) {
      bytes.push(parseInt(hex[1], 16));
      i += 4;
    } else throw new UsageError(`${at}: found "${text.slice(i, i + 2)}", expected \\r, \\n, \\t, \\\\ or \\xNN`);
  }
  return new Uint8Array(bytes);
}

export type Progress =
  | { readonly kind: 'waiting'; readonly for: string }
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'done' };

/** A match that ends with the newest output is looked for in so many characters; a longer one is found at the end of its line. */
const tailLength = 1024;
/** What is remembered of the output behind the last match. */
const longestText = 1 << 20;

/** Output behind the last match. It comes a character at a time, so it is only put together where something may have matched. */
class Output {
  private pieces: string[] = [];
  private length = 0;
  private tail = '';

  add(text: string): void {
    this.pieces.push(text);
    this.length += text.length;
    this.tail = (this.tail + text).slice(-tailLength);
  }
  get text(): string {
    const text = this.pieces.join('').slice(-longestText);
    this.pieces = [text];
    this.length = text.length;
    return text;
  }
  /** Whether what was just added completes a match. */
  completes(regex: RegExp, added: string): boolean {
    const whole = this.length <= tailLength || added.includes('\n');
    return whole ? regex.test(this.text) : regex.test(this.tail) && regex.test(this.text);
  }
  dropTo(index: number): void {
    const rest = this.text.slice(index);
    this.pieces = [rest];
    this.length = rest.length;
    this.tail = rest.slice(-tailLength);
  }
}

export class Dialogue {
  private position = 0;
  private readonly pending = new Output();
  /** Seconds allowed for the expect that is waited for. */
  timeoutSeconds: number | undefined;

  constructor(private readonly lines: readonly Line[]) {}

  /** Adds output; true when what is waited for has come, so that the machine should stop and `next` be asked. */
  hear(text: string): boolean {
    this.pending.add(text);
    const line = this.lines[this.position];
    return line?.kind === 'expect' && this.pending.completes(line.regex, text);
  }

  /** What to do now. Call it until it waits or is done. */
  next(): Progress {
    for (;;) {
      const line = this.lines[this.position];
      if (line === undefined) return { kind: 'done' };
      switch (line.kind) {
        case 'timeout':
          this.timeoutSeconds = line.seconds;
          this.position++;
          continue;
        case 'send':
          this.position++;
          return { kind: 'send', bytes: line.bytes };
        case 'expect': {
          const match = line.regex.exec(this.pending.text);
          if (match === null) return { kind: 'waiting', for: line.text };
          this.pending.dropTo(match.index + match[0].length);
          this.position++;
        }
      }
    }
  }
}
