// The expression language of watches, hovers and conditions: C's expressions without side effects, plus `$register` and `a @ n`
// (n objects from a on). Text in, tree out.

/** A type as written: `unsigned long`, `struct queue`, `u32`, with the stars and dimensions behind it. */
export interface TypeSyntax {
  readonly words: readonly string[];
  readonly pointers: number;
  readonly dimensions: readonly number[];
}

export type Syntax =
  | { readonly kind: 'integer'; readonly value: bigint; readonly isUnsigned: boolean; readonly isLong: boolean }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'member'; readonly object: Syntax; readonly name: string; readonly arrow: boolean }
  | { readonly kind: 'index'; readonly object: Syntax; readonly index: Syntax }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Syntax }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Syntax; readonly right: Syntax }
  | { readonly kind: 'conditional'; readonly test: Syntax; readonly then: Syntax; readonly otherwise: Syntax }
  | { readonly kind: 'cast'; readonly type: TypeSyntax; readonly operand: Syntax }
  | { readonly kind: 'size of type'; readonly type: TypeSyntax }
  | { readonly kind: 'size of'; readonly operand: Syntax };

/** What is wrong with an expression, for the user. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

interface Token {
  readonly kind: 'number' | 'name' | 'register' | 'character' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  [
    'number',
    /0[xX][0-9a-fA-F]+[uUlL]*|0[bB][01]+[uUlL]*|\d+\.\d*(?:[eE][+-]?\d+)?[fF]?|\d+[eE][+-]?\d+[fF]?|\d+[uUlL]*/y,
  ],
  ['name', /[A-Za-z_][\w]*(?:::[A-Za-z_]\w*)*/y],
  ['register', /\$[A-Za-z_]\w*/y],
  ['character', /'(?:\\x[0-9a-fA-F]{1,2}|\\[0-7]{1,3}|\\.|[^'\\])'/y],
  ['symbol', /->|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|[-+*/%&|^~!<>=?:().,[\]@]/y],
];

const longestExpression = 10_000;
const deepestNesting = 200;

function tokens(text: string): Token[] {
  if (text.length > longestExpression)
    throw new ExpressionError(`the expression is longer than ${longestExpression} characters`);
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? '')) {
      at++;
      continue;
    }
    const start = at;
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match === null) continue;
      found.push({ kind, text: match[0], at });
      at += match[0].length;
      break;
    }
    if (at === start) throw new ExpressionError(`${quote(text[at] ?? '')} at column ${at + 1} has no meaning here`);
  }
  found.push({ kind: 'end', text: '', at: text.length });
  return found;
}

function quote(text: string): string {
  return `"${text}"`;
}

/** Binary operators from the loosest to the tightest; all associate to the left. */
const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['@'],
  ['+', '-'],
  ['*', '/', '%'],
];

const typeWords: ReadonlySet<string> = new Set([
  'unsigned',
  'signed',
  'long',
  'short',
  'int',
  'char',
  'void',
  'float',
  'double',
  '_Bool',
  'bool',
]);
const tagWords: ReadonlySet<string> = new Set(['struct', 'union', 'enum', 'class']);
const qualifierWords: ReadonlySet<string> = new Set(['const', 'volatile']);

/** `isTypeName` decides whether `(name)` begins a cast. Throws `ExpressionError`. */
export function parseExpression(text: string, isTypeName: (name: string) => boolean): Syntax {
  const parser = new Parser(tokens(text), isTypeName);
  return parser.whole();
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(
    readonly list: readonly Token[],
    readonly isTypeName: (name: string) => boolean,
  ) {}

  #peek(ahead = 0): Token {
    return this.list[Math.min(this.#at + ahead, this.list.length - 1)] ?? { kind: 'end', text: '', at: 0 };
  }

  #accept(text: string): boolean {
    const token = this.#peek();
    if (token.text !== text || token.kind === 'character') return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#unexpected(quote(text));
  }

  #unexpected(expected: string): ExpressionError {
    const token = this.#peek();
    const found = token.kind === 'end' ? 'the end' : quote(token.text);
    return new ExpressionError(`${expected} expected at column ${token.at + 1}, found ${found}`);
  }

  whole(): Syntax {
    const tree = this.#conditional();
    const { text, kind } = this.#peek();
    if (text === '(') throw new ExpressionError('functions of the guest cannot be called');
    if (/^(?:[-+*/%&|^]?=|\+\+|--)$/.test(text))
      throw new ExpressionError('an expression cannot change the guest; set the value instead');
    if (kind !== 'end') throw this.#unexpected('an operator');
    return tree;
  }

  #conditional(): Syntax {
    if (++this.#depth > deepestNesting) throw new ExpressionError('the expression is nested too deeply');
    const test = this.#binary(0);
    let tree = test;
    if (this.#accept('?')) {
      const then = this.#conditional();
      this.#expect(':');
      tree = { kind: 'conditional', test, then, otherwise: this.#conditional() };
    }
    this.#depth--;
    return tree;
  }

  #binary(level: number): Syntax {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const { text, kind } = this.#peek();
      if (kind !== 'symbol' || !operators.includes(text)) return left;
      this.#at++;
      left = { kind: 'binary', operator: text, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Syntax {
    const token = this.#peek();
    if (++this.#depth > deepestNesting) throw new ExpressionError('the expression is nested too deeply');
    try {
      if (token.kind === 'symbol' && ['-', '+', '!', '~', '*', '&'].includes(token.text)) {
        this.#at++;
        return { kind: 'unary', operator: token.text, operand: this.#unary() };
      }
      // `&&x` at the start of an operand is two address operators in no useful program.
      if (token.text === 'sizeof') {
        this.#at++;
        const type = this.#parenthesisedType();
        return type === undefined ? { kind: 'size of', operand: this.#unary() } : { kind: 'size of type', type };
      }
      const type = this.#parenthesisedType();
      if (type !== undefined) return { kind: 'cast', type, operand: this.#unary() };
      return this.#postfix();
    } finally {
      this.#depth--;
    }
  }

  #postfix(): Syntax {
    let tree = this.#primary();
    for (;;) {
      if (this.#accept('[')) {
        const index = this.#conditional();
        this.#expect(']');
        tree = { kind: 'index', object: tree, index };
      } else if (this.#peek().text === '.' || this.#peek().text === '->') {
        const arrow = this.#peek().text === '->';
        this.#at++;
        const name = this.#peek();
        // Members of tuples are numbers in Rust: `__0` in the debugging information.
        if (name.kind !== 'name') throw this.#unexpected('a member name');
        this.#at++;
        tree = { kind: 'member', object: tree, name: name.text, arrow };
      } else return tree;
    }
  }

  #primary(): Syntax {
    const token = this.#peek();
    if (this.#accept('(')) {
      const tree = this.#conditional();
      this.#expect(')');
      return tree;
    }
    switch (token.kind) {
      case 'number':
        this.#at++;
        return numberSyntax(token.text);
      case 'character':
        this.#at++;
        return { kind: 'character', value: characterValue(token.text.slice(1, -1)) };
      case 'register':
        this.#at++;
        return { kind: 'register', name: token.text.slice(1) };
      case 'name':
        this.#at++;
        return { kind: 'name', name: token.text };
      default:
        throw this.#unexpected('a name, number or register');
    }
  }

  /** `(type)` if that is what stands here; otherwise nothing is consumed. */
  #parenthesisedType(): TypeSyntax | undefined {
    if (this.#peek().text !== '(') return undefined;
    const start = this.#at++;
    const type = this.#type();
    if (type !== undefined && this.#accept(')')) return type;
    this.#at = start;
    return undefined;
  }

  #type(): TypeSyntax | undefined {
    const words: string[] = [];
    for (;;) {
      const { kind, text } = this.#peek();
      if (kind !== 'name') break;
      if (qualifierWords.has(text)) this.#at++;
      else if (tagWords.has(text) && words.length === 0 && this.#peek(1).kind === 'name') {
        words.push(text, this.#peek(1).text);
        this.#at += 2;
      } else if (typeWords.has(text)) {
        words.push(text);
        this.#at++;
      } else if (words.length === 0 && this.#endsType(1) && this.isTypeName(text)) {
        words.push(text);
        this.#at++;
      } else break;
    }
    if (words.length === 0) return undefined;
    let pointers = 0;
    for (;;) {
      if (this.#accept('*')) pointers++;
      else if (this.#peek().kind === 'name' && qualifierWords.has(this.#peek().text)) this.#at++;
      else break;
    }
    const dimensions: number[] = [];
    while (this.#peek().text === '[' && this.#peek(1).kind === 'number') {
      dimensions.push(Number(this.#peek(1).text));
      this.#at += 2;
      this.#expect(']');
    }
    return { words, pointers, dimensions };
  }

  /** Only `(name)` and `(name *` can be casts; names in other places are not looked up as types. */
  #endsType(ahead: number): boolean {
    for (let i = ahead; ; i++) {
      const { text } = this.#peek(i);
      if (text === ')' || text === '[') return true;
      if (text !== '*' && !qualifierWords.has(text)) return false;
    }
  }
}

function numberSyntax(text: string): Syntax {
  if (/^\d+(?:\.|[eE])/.test(text) && !/^0[xX]/.test(text))
    return { kind: 'float', value: Number(text.replace(/[fF]$/, '')) };
  const suffix = /[uUlL]*$/.exec(text)?.[0].toLowerCase() ?? '';
  const digits = text.slice(0, text.length - suffix.length);
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.replace(/^0+(?=\d)/, ''));
  return { kind: 'integer', value, isUnsigned: suffix.includes('u'), isLong: suffix.includes('l') };
}

const escapeValues: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11, e: 27 };

function characterValue(text: string): number {
  if (!text.startsWith('\\')) return text.codePointAt(0) ?? 0;
  const rest = text.slice(1);
  if (/^x/.test(rest)) return parseInt(rest.slice(1), 16);
  if (/^[0-7]/.test(rest)) return parseInt(rest, 8);
  return escapeValues[rest] ?? rest.codePointAt(0) ?? 0;
}
