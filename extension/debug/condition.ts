// The language of conditions over a violation: `rule == "ring.loop" && queue == 0`, `device =~ "^vd"`, `value > 0x10 || !function`.
// Guarantees: no side effects, no access to anything but the fields given; a mistake is an answer with its position, never an exception.

export type ConditionValue = string | bigint | boolean | undefined;
export type ConditionResult =
  { readonly ok: true; readonly value: boolean } | { readonly ok: false; readonly message: string };

type Token =
  | { readonly kind: 'number'; readonly value: bigint; readonly at: number }
  | { readonly kind: 'text'; readonly value: string; readonly at: number }
  | { readonly kind: 'name'; readonly value: string; readonly at: number }
  | { readonly kind: 'sign'; readonly value: string; readonly at: number }
  | { readonly kind: 'end'; readonly value: ''; readonly at: number };

const tokenPattern =
  /\s*(?:(0x[0-9a-fA-F_]+|\d[\d_]*)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([A-Za-z_][\w.-]*[\w]|[A-Za-z_])|(==|!=|=~|!~|<=|>=|&&|\|\||[<>!()&]))/y;

/** Longer conditions are a mistake; the bound also keeps recursion shallow. */
const longestCondition = 2000;

/** @param fields what names mean; a name that is not there is an error that lists those that are */
export function evaluateCondition(text: string, fields: ReadonlyMap<string, ConditionValue>): ConditionResult {
  try {
    if (text.length > longestCondition) throw new ConditionError(`more than ${longestCondition} characters`);
    const parser = new Parser(tokens(text), fields);
    return { ok: true, value: truth(parser.all()) };
  } catch (error) {
    if (error instanceof ConditionError) return { ok: false, message: error.message };
    throw error;
  }
}

class ConditionError extends Error {}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== '') {
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(text);
    if (match === null)
      throw new ConditionError(`cannot read "${text.slice(at).trim().slice(0, 20)}" at position ${at + 1}`);
    const [whole, number, double, single, name, sign] = match;
    if (number !== undefined) found.push({ kind: 'number', value: BigInt(number.replace(/_/g, '')), at });
    else if (double !== undefined || single !== undefined)
      found.push({ kind: 'text', value: (double ?? single ?? '').replace(/\\(.)/g, '$1'), at });
    else if (name !== undefined) found.push({ kind: 'name', value: name, at });
    else found.push({ kind: 'sign', value: sign ?? '', at });
    at += whole.length;
  }
  found.push({ kind: 'end', value: '', at });
  return found;
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(
    private readonly list: readonly Token[],
    private readonly fields: ReadonlyMap<string, ConditionValue>,
  ) {}

  all(): ConditionValue {
    const value = this.either();
    const rest = this.peek();
    if (rest.kind !== 'end') throw new ConditionError(`unexpected "${String(rest.value)}" at position ${rest.at + 1}`);
    return value;
  }

  private either(): ConditionValue {
    let value = this.both();
    while (this.take('||')) {
      const right = this.both();
      value = truth(value) || truth(right);
    }
    return value;
  }
  private both(): ConditionValue {
    let value = this.comparison();
    while (this.take('&&')) {
      const right = this.comparison();
      value = truth(value) && truth(right);
    }
    return value;
  }
  private comparison(): ConditionValue {
    const left = this.bits();
    for (const sign of ['==', '!=', '=~', '!~', '<=', '>=', '<', '>'] as const) {
      if (!this.take(sign)) continue;
      return compare(left, sign, this.bits());
    }
    return left;
  }
  private bits(): ConditionValue {
    let value = this.one();
    while (this.take('&')) value = asNumber(value, '&') & asNumber(this.one(), '&');
    return value;
  }
  private one(): ConditionValue {
    const token = this.peek();
    if (this.take('!')) return !truth(this.nested(() => this.one()));
    if (this.take('(')) {
      const value = this.nested(() => this.either());
      if (!this.take(')')) throw new ConditionError(`expected ")" at position ${this.peek().at + 1}`);
      return value;
    }
    this.position++;
    switch (token.kind) {
      case 'number':
      case 'text':
        return token.value;
      case 'name':
        if (token.value === 'true') return true;
        if (token.value === 'false') return false;
        if (!this.fields.has(token.value))
          throw new ConditionError(`unknown name "${token.value}"; there are ${[...this.fields.keys()].join(', ')}`);
        return this.fields.get(token.value);
      default:
        throw new ConditionError(
          token.kind === 'end'
            ? 'the condition ends too early'
            : `unexpected "${token.value}" at position ${token.at + 1}`,
        );
    }
  }

  private nested<Result>(parse: () => Result): Result {
    if (++this.depth > 100) throw new ConditionError('too many brackets');
    const value = parse();
    this.depth--;
    return value;
  }
  private peek(): Token {
    return this.list[this.position] ?? { kind: 'end', value: '', at: 0 };
  }
  private take(sign: string): boolean {
    const token = this.peek();
    if (token.kind !== 'sign' || token.value !== sign) return false;
    this.position++;
    return true;
  }
}

function truth(value: ConditionValue): boolean {
  return value !== undefined && value !== false && value !== 0n && value !== '';
}

function compare(
  left: ConditionValue,
  sign: '==' | '!=' | '=~' | '!~' | '<=' | '>=' | '<' | '>',
  right: ConditionValue,
): boolean {
  if (sign === '=~' || sign === '!~') {
    let pattern: RegExp;
    try {
      pattern = new RegExp(String(right ?? ''));
    } catch {
      throw new ConditionError(`"${String(right)}" is not a regular expression`);
    }
    return pattern.test(String(left ?? '')) === (sign === '=~');
  }
  if (sign === '==' || sign === '!=') return same(left, right) === (sign === '==');
  const a = asNumber(left, sign);
  const b = asNumber(right, sign);
  switch (sign) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}

function same(left: ConditionValue, right: ConditionValue): boolean {
  if (typeof left === 'bigint' || typeof right === 'bigint') {
    const a = toNumber(left);
    const b = toNumber(right);
    return a !== undefined && a === b;
  }
  return left === right;
}

function toNumber(value: ConditionValue): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string' && /^(0x[0-9a-fA-F]+|\d+)$/.test(value)) return BigInt(value);
  return undefined;
}

function asNumber(value: ConditionValue, sign: string): bigint {
  const number = toNumber(value);
  if (number === undefined)
    throw new ConditionError(`${sign} needs numbers, found ${value === undefined ? 'nothing' : `"${String(value)}"`}`);
  return number;
}
