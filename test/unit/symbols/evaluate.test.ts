// Values and expressions in a stopped guest, with a memory image made from the ELF file and a frame of main.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  loadSymbols,
  type FrameContext,
  type ReadMemory,
  type Symbols,
  type Value,
} from '../../../extension/symbols/index';
import { traceGuest } from './gdb-trace';
import { buildGuest } from './guest-build';

interface Stopped {
  readonly symbols: Symbols;
  readonly frame: FrameContext;
  readonly readMemory: ReadMemory;
}

let stopped: Stopped | undefined;

/** The guest in `checksum`, called by `deep`, called by `main`: the frame of main, with everything set up. */
function inMain(): Stopped {
  if (stopped !== undefined) return stopped;
  const guest = buildGuest(['start.c', 'ring.c'], ['-O0', '-gdwarf-5']);
  const symbols = loadSymbols(guest.image);
  const data = symbols.segments.find((segment) => segment.writable);
  assert.ok(data);
  const high = data.address + data.memorySize;
  const stop = traceGuest(guest, 1200, { low: data.address, high })
    .reverse()
    .find(({ frames }) => frames[0]?.function === 'checksum');
  assert.ok(stop, 'the run reaches checksum');
  const readMemory: ReadMemory = (address, length) =>
    stop.readMemory(address, length) ?? symbols.bytesAt(address, length);
  const frame = symbols.backtrace(stop.registers, readMemory).frames.find((candidate) => candidate.function === 'main');
  assert.ok(frame);
  stopped = { symbols, frame, readMemory };
  return stopped;
}

function evaluate(text: string): Value {
  const { symbols, frame, readMemory } = inMain();
  const result = symbols.evaluate(text, frame, readMemory);
  assert.ok(result.ok, `${text}: ${result.ok ? '' : result.message}`);
  return result.value;
}

function refusal(text: string): string {
  const { symbols, frame, readMemory } = inMain();
  const result = symbols.evaluate(text, frame, readMemory);
  assert.equal(result.ok, false, text);
  return result.ok ? '' : result.message;
}

/** Expression, type, text. `@name` in a text stands for the address of a symbol. */
const cases: readonly (readonly [string, string, string])[] = [
  ['queue->size', 'u32', '4'],
  ['(*queue).size', 'u32', '4'],
  ['queue->ready', 'unsigned int', '1'],
  ['queue->kind', 'unsigned int', '5'],
  ['queue->delta', 'int', '-3'],
  ['queue->direction', 'enum direction', 'FROM_DEVICE (4)'],
  ['queue->direction == FROM_DEVICE', 'int', '1'],
  ['queue->last', 'union word', '{whole = 16909060, bytes = "\\x04\\x03\\x02\\x01"}'],
  ['queue->last.bytes[3]', 'unsigned char', "1 '\\x01'"],
  ['queue->inner', 'short int', '-7'],
  ['queue->small', 'signed char', "120 'x'"],
  ['queue->self == queue', 'int', '1'],
  ['queue->self->self->grid[1][2]', 'u32', '42'],
  ['queue->grid', 'u32 [2][3]', '[2] {[3] {0, 0, 0}, [3] {0, 0, 42}}'],
  ['queue->name', 'const char *', '@greeting "hello"'],
  ['*queue->name', 'const char', "104 'h'"],
  ['queue->handler', 'int (*)(struct queue *, int)', '@checksum <checksum>'],
  ['queue->table[1]', 'struct descriptor', '{address = 8192, length = 32, flags = 3, next = 2}'],
  ['queue->table[1].length * 2 + 1', 'unsigned int', '65'],
  ['(queue->table + 2)->length', 'u32', '64'],
  ['&queue->table[3] - queue->table', 'long', '3'],
  ['queue->table @ 2', 'struct descriptor *[2]', ''],
  ['queue->table[0] @ 2', 'struct descriptor [2]', ''],
  ['sizeof(struct descriptor)', 'unsigned long', '16'],
  ['sizeof queue->grid', 'unsigned long', '24'],
  ['(unsigned char)0x1ff', 'unsigned char', "255 '\\xff'"],
  ['(u64)-1', 'u64', '18446744073709551615'],
  ['((struct queue *)&main_queue)->size', 'u32', '4'],
  ['main_queue.size', 'u32', '4'],
  ['descriptors[2].flags', 'short unsigned int', '2'],
  ['greeting', 'const char [6]', '"hello"'],
  ['ratio', 'double', '2.5'],
  ['ratio * 2', 'double', '5'],
  ['half', 'float', '0.5'],
  ['truth', '_Bool', 'true'],
  ['letter', 'char', "82 'R'"],
  ['count', 'int', '1'],
  ['-count', 'int', '-1'],
  ['!count', 'int', '0'],
  ['~0', 'int', '-1'],
  ['1 << 4 | 3', 'int', '19'],
  ['10 / 3 + 10 % 3', 'int', '4'],
  ['0x80000000', 'long', '2147483648'],
  ['0xffffffffu', 'unsigned int', '4294967295'],
  ['count ? 7 : 8', 'int', '7'],
  ['count && 0 || 1', 'int', '1'],
  ["'A' + 1", 'int', '66'],
  ['255,x', 'int', '0xff'],
  ['queue->delta,x', 'int', '0x1d'],
  ['5,b', 'int', '0b101'],
  ['checksum', 'int (struct queue *, int)', '{int (struct queue *, int)} @checksum <checksum>'],
  ['arguments', 'char **', '0x0'],
];

describe('expressions', () => {
  for (const [text, type, shown] of cases) {
    it(text, () => {
      const value = evaluate(text);
      const { symbols } = inMain();
      const expected = shown.replace(
        /@(\w+)/g,
        (_, name: string) => `0x${(symbols.addressOf(name) ?? 0n).toString(16)}`,
      );
      assert.equal(value.typeName, type);
      if (shown !== '') assert.equal(value.text, expected);
    });
  }

  it('reads registers of the frame', () => {
    const { frame } = inMain();
    assert.equal(evaluate('$sp').integer, frame.registers.x(2));
    assert.equal(evaluate('$x2').integer, frame.registers.x(2));
    assert.equal(evaluate('$pc').integer, frame.registers.pc);
    assert.match(refusal('$a0'), /a0 is not known in this frame/);
    assert.match(refusal('$nonsense'), /register expected/);
  });

  it('says what is wrong', () => {
    assert.match(refusal('nothing'), /no "nothing" in this frame/);
    assert.match(refusal('queue->nothing'), /struct queue has no member "nothing"/);
    assert.match(refusal('count->x'), /pointer expected before ->, found a value of type int/);
    assert.match(refusal('count +'), /expected at column 8, found the end/);
    assert.match(refusal('count = 5'), /cannot change the guest/);
    assert.match(refusal('main(1)'), /cannot be called/);
    assert.match(refusal('1 / 0'), /division by zero/);
    assert.match(refusal('*(int *)8'), /memory at 0x8 cannot be read/);
    assert.match(refusal('(struct missing *)0'), /no type "struct missing"/);
    assert.match(refusal('&5'), /not in memory/);
    assert.match(refusal('"'), /has no meaning/);
    assert.match(refusal('('.repeat(5000)), /nested too deeply/);
    assert.match(refusal('1+'.repeat(50_000)), /longer than/);
  });
});

describe('values', () => {
  it('have children that can be evaluated again', () => {
    const queue = evaluate('queue');
    const names = queue.children().map((child) => child.name);
    assert.ok(
      names.includes('size') && names.includes('inner'),
      'members of anonymous structures count as the outer ones',
    );
    assert.equal(queue.childCount, names.length);
    let visited = 0;
    const visit = (value: Value, depth: number) => {
      for (const child of value.children(0, 20)) {
        assert.ok(child.expression, `${child.name} has an expression`);
        const again = evaluate(child.expression);
        assert.equal(again.text, child.text, child.expression);
        assert.deepEqual(again.location, child.location, child.expression);
        visited++;
        if (depth < 2) visit(child, depth + 1);
      }
    };
    visit(queue, 0);
    assert.ok(visited > 30, `${visited} values visited`);
  });

  it('page through arrays', () => {
    const grid = evaluate('registers');
    assert.equal(grid.indexed, true);
    assert.equal(grid.childCount, 16);
    assert.deepEqual(
      grid.children(14, 5).map((child) => child.name),
      ['[14]', '[15]'],
    );
  });

  it('tell where memory views should look', () => {
    const { symbols } = inMain();
    assert.equal(evaluate('queue').memoryReference, symbols.addressOf('main_queue'));
    assert.equal(evaluate('main_queue').memoryReference, symbols.addressOf('main_queue'));
    assert.equal(evaluate('count + 1').memoryReference, undefined);
  });

  it('are listed by scope', () => {
    const { symbols, frame } = inMain();
    const scopes = symbols.scopesAt(frame);
    assert.deepEqual(
      scopes.map((scope) => scope.kind),
      ['parameters', 'locals', 'globals'],
    );
    assert.deepEqual(
      scopes[0]?.variables.map((variable) => variable.name),
      ['count', 'arguments'],
    );
    assert.deepEqual(scopes[1]?.variables.map((variable) => variable.name).sort(), ['queue', 'result', 'state']);
    const globals = scopes[2]?.variables.map((variable) => variable.name) ?? [];
    assert.ok(['descriptors', 'main_queue', 'hits'].every((name) => globals.includes(name)));
  });
});

describe('assignments', () => {
  const assign = (target: string, text: string) => {
    const { symbols, frame, readMemory } = inMain();
    return symbols.assign(target, text, frame, readMemory);
  };

  it('write the bytes of the type', () => {
    const { symbols } = inMain();
    const base = symbols.addressOf('main_queue') ?? 0n;
    const size = evaluate('&queue->size').integer;
    assert.deepEqual(assign('queue->size', '0x01020304'), {
      kind: 'memory',
      address: size,
      bytes: Uint8Array.of(4, 3, 2, 1),
    });
    assert.ok(size !== undefined && size > base);
    const real = assign('ratio', '1.5');
    assert.deepEqual(real, {
      kind: 'memory',
      address: symbols.addressOf('ratio'),
      bytes: new Uint8Array(new Float64Array([1.5]).buffer),
    });
  });

  it('change only the bits of a bit field', () => {
    const written = assign('queue->kind', '2');
    assert.equal(written.kind, 'memory');
    if (written.kind !== 'memory') return;
    const { readMemory } = inMain();
    const before = readMemory(written.address, 1)?.[0] ?? 0;
    assert.equal(written.bytes[0], (before & ~0x0e) | (2 << 1));
  });

  it('are refused with the reason', () => {
    const refusals: readonly (readonly [string, string, RegExp])[] = [
      ['5', '6', /stored nowhere/],
      ['main_queue', '1', /cannot become struct queue/],
      ['$sp', '0', /outer frame/],
      ['nothing', '0', /no "nothing"/],
    ];
    for (const [target, text, reason] of refusals) {
      const refused = assign(target, text);
      assert.ok(
        refused.kind === 'refused' && reason.test(refused.message),
        `${target}: ${JSON.stringify(refused.kind)}`,
      );
    }
  });
});
