// Random programs that do what compiled code finds hard: loops, calls within and across pages, traps, code that changes itself,
// instructions across page ends, devices, aliases, interrupts. Everything follows from the seed.
import type { Line } from '../../assembler';
import { type Random, randomFrom } from './random';

export const programBase = 0x8000_0000;
export const dataBase = 0x8004_0000;
/** Four pages: plain, plain, watched, next to a hole. */
export const dataPages = 4;
export const deviceBase = 0x1000_0000;
/** The first 1 GiB of RAM once more, in programs that translate. */
export const aliasDistance = 0x4000_0000;
const tables = 0x8006_0000;
const stackTop = 0x8005_f000;

const scratch = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 's2', 's3', 's4', 's5', 't3', 't4', 't5'] as const;
const compressible = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5'] as const;
const floats = ['fa0', 'fa1', 'fa2', 'fa3', 'fs2', 'fs3'] as const;

export interface RandomProgram {
  readonly lines: readonly Line[];
  readonly mode: 'M' | 'S' | 'U';
}

export function randomProgram(seed: number): RandomProgram {
  return new Generator(randomFrom(seed)).program();
}

class Generator {
  private readonly lines: Line[] = [];
  private labels = 0;
  private readonly functions: string[];
  private readonly mode: 'M' | 'S' | 'U';
  /** RAM is reached through two virtual addresses; s8 holds their distance. */
  private readonly translates: boolean;

  constructor(private readonly random: Random) {
    this.functions = Array.from({ length: 3 + random.below(5) }, (_, index) => `function${index}`);
    this.mode = random.pick(['M', 'M', 'S', 'U']);
    this.translates = this.mode !== 'M' && random.below(3) !== 0;
  }

  program(): RandomProgram {
    const { random, lines } = this;
    this.start();
    this.handler();
    this.functions.forEach((name, index) => {
      // Any even place in a page, so that instructions lie across page ends.
      lines.push(['.space', 2 * random.below(random.pick([4, 400, 2600]))]);
      this.function(name, index);
    });
    return { lines, mode: this.mode };
  }

  private start(): void {
    const { random, lines, mode, translates } = this;
    lines.push(['la', 't0', 'handler'], ['csrw', 'mtvec', 't0'], ['li', 't0', 0x6000], ['csrs', 'mstatus', 't0']);
    lines.push(['li', 't0', -1], ['csrw', 'pmpaddr0', 't0'], ['li', 't0', 0x1f], ['csrw', 'pmpcfg0', 't0']);
    lines.push(['csrw', 'mcounteren', 't0'], ['csrw', 'scounteren', 't0']);
    lines.push(['li', 'gp', dataBase], ['li', 'sp', stackTop], ['li', 'tp', deviceBase]);
    lines.push(['li', 's8', aliasDistance]);
    lines.push(['li', 't0', 0x80], ['csrs', 'mie', 't0']);
    if (mode === 'M') lines.push(['li', 't0', 8], ['csrs', 'mstatus', 't0']);
    else {
      if (translates) this.translation(mode);
      lines.push(['li', 't0', 0x1800], ['csrc', 'mstatus', 't0']);
      if (mode === 'S') lines.push(['li', 't0', 0x800], ['csrs', 'mstatus', 't0']);
      lines.push(['la', 't0', 'main'], ['csrw', 'mepc', 't0'], ['mret']);
    }
    lines.push('main:');
    lines.push(['li', 's0', 6 + random.below(30)], 'again:');
    const calls = 1 + random.below(3);
    for (let call = 0; call < calls; call++) this.call(random.below(this.functions.length));
    lines.push(['addi', 's0', 's0', -1], ['bnez', 's0', 'again'], 'end:', ['j', 'end']);
  }

  /** RAM as one large page, and once more as an alias. */
  private translation(mode: 'S' | 'U'): void {
    const user = mode === 'U' ? 0x10 : 0;
    const leaf = (address: number): number => (Math.floor(address / 4096) << 10) | 0xf | user;
    const { lines } = this;
    const entry = (index: number, value: bigint): void =>
      void lines.push(['li', 't0', tables + index * 8], ['li', 't1', value], ['sd', 't1', 0, 't0']);
    entry(0, BigInt(leaf(0)));
    entry(2, BigInt(leaf(0x8000_0000)));
    entry(3, BigInt(leaf(0x8000_0000)));
    lines.push(['li', 't0', (8n << 60n) | BigInt(tables / 4096)], ['csrw', 'satp', 't0']);
  }

  /** Exceptions: skip the instruction, whatever its length. The timer interrupt: switch it off until the program wants it again. */
  private handler(): void {
    this.lines.push(
      ['.align', 4],
      'handler:',
      ['addi', 's11', 's11', 1],
      ['csrr', 't6', 'mcause'],
      ['bltz', 't6', 'interrupt'],
      ['add', 's10', 's10', 't6'],
      ['csrr', 't6', 'mtval'],
      ['xor', 's10', 's10', 't6'],
      ['csrr', 't6', 'mepc'],
      ['slli', 's9', 't6', 32],
      ['srli', 's9', 's9', 32],
      // Through the alias code is where RAM is, 1 GiB lower; M-mode does not translate.
      ['srli', 't1', 's9', 30],
      ['addi', 't1', 't1', -3],
      ['bnez', 't1', 'plain'],
      ['li', 't1', aliasDistance],
      ['sub', 's9', 's9', 't1'],
      'plain:',
      ['lhu', 's9', 0, 's9'],
      ['andi', 's9', 's9', 3],
      ['addi', 's9', 's9', -3],
      ['addi', 't6', 't6', 2],
      ['bnez', 's9', 'short'],
      ['addi', 't6', 't6', 2],
      'short:',
      ['csrw', 'mepc', 't6'],
      ['mret'],
      'interrupt:',
      ['li', 't6', 0x80],
      ['csrc', 'mie', 't6'],
      ['addi', 's10', 's10', 99],
      ['mret'],
    );
  }

  private function(name: string, index: number): void {
    const { random, lines } = this;
    lines.push(`${name}:`, ['addi', 'sp', 'sp', -32], ['sd', 'ra', 0, 'sp'], ['sd', 's1', 8, 'sp']);
    const parts = 1 + random.below(4);
    for (let part = 0; part < parts; part++) {
      if (random.below(3) === 0) this.loop(index);
      else this.statements(1 + random.below(8), index);
    }
    lines.push(['ld', 'ra', 0, 'sp'], ['ld', 's1', 8, 'sp'], ['addi', 'sp', 'sp', 32], ['ret']);
  }

  private label(): string {
    return `label${this.labels++}`;
  }

  private loop(index: number): void {
    const { random, lines } = this;
    const head = this.label();
    const condition = this.label();
    const bottomTested = random.below(2) === 0;
    lines.push(['li', 's1', 1 + random.below(12)]);
    if (bottomTested) lines.push(['j', condition]);
    lines.push(`${head}:`);
    this.statements(1 + random.below(6), index);
    lines.push(`${condition}:`, ['addi', 's1', 's1', -1], ['bltz', 's1', `${head}out`], ['bnez', 's1', head]);
    lines.push(`${head}out:`);
  }

  private statements(count: number, index: number): void {
    for (let statement = 0; statement < count; statement++) this.statement(index);
  }

  /** A call of a later function, so that all calls end. */
  private call(index: number): void {
    const { random, lines } = this;
    const target = this.functions[index];
    if (target === undefined) return;
    if (random.below(2) === 0) lines.push(['call', target]);
    else {
      lines.push(['la', 't0', target]);
      if (this.translates && random.below(3) === 0) lines.push(['add', 't0', 't0', 's8']);
      lines.push(['jalr', 'ra', 0, 't0']);
    }
  }

  private statement(index: number): void {
    const { random, lines } = this;
    const x = (): string => random.pick([...scratch]);
    const f = (): string => random.pick([...floats]);
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2: {
        const name = random.pick([
          'add',
          'sub',
          'xor',
          'or',
          'and',
          'sltu',
          'slt',
          'sll',
          'srl',
          'sra',
          'addw',
          'subw',
        ]);
        return void lines.push([name, x(), x(), x()]);
      }
      case 3: {
        const name = random.pick([
          'mul',
          'mulh',
          'mulhsu',
          'mulhu',
          'div',
          'divu',
          'rem',
          'remu',
          'mulw',
          'divw',
          'remuw',
        ]);
        return void lines.push([name, x(), x(), x()]);
      }
      case 4:
        return void lines.push([
          random.pick(['addi', 'xori', 'andi', 'addiw', 'sltiu']),
          x(),
          x(),
          random.below(4096) - 2048,
        ]);
      case 5:
        return void lines.push(['c.addi', random.pick([...compressible]), 1 + random.below(30)]);
      case 6:
        return void lines.push(['c.xor', random.pick([...compressible]), random.pick([...compressible])]);
      case 7:
      case 8: {
        const name = random.pick(['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwu', 'ld']);
        return void lines.push(...this.address(), [name, x(), random.below(32), 't0']);
      }
      case 9:
      case 10:
        return void lines.push(...this.address(), [random.pick(['sb', 'sh', 'sw', 'sd']), x(), random.below(32), 't0']);
      case 11: {
        const name = random.pick(['amoadd.w', 'amoswap.d', 'amomaxu.w', 'amoand.d', 'amomin.w']);
        const order = random.pick(['', 'aq', 'rl', 'aqrl']);
        return void lines.push(['addi', 't0', 'gp', 8 * random.below(200)], [name, x(), x(), 't0', order]);
      }
      case 12:
        return void lines.push(
          ['addi', 't0', 'gp', 8 * random.below(200)],
          ['lr.d', x(), 't0'],
          ['sc.d', x(), x(), 't0'],
        );
      case 13: {
        const skip = this.label();
        lines.push([random.pick(['beq', 'bne', 'blt', 'bgeu']), x(), x(), skip]);
        this.statements(1 + random.below(3), index);
        return void lines.push(`${skip}:`);
      }
      case 14:
        if (index + 1 < this.functions.length && random.below(2) === 0) {
          return this.call(index + 1 + random.below(this.functions.length - index - 1));
        }
        return void lines.push(['fence', 'rw', 'w']);
      case 15:
        return this.system(x());
      case 16:
        return this.changingCode(x());
      case 17:
        return void lines.push([random.pick(['fadd.d', 'fmul.d', 'fsub.s', 'fdiv.s', 'fmin.d']), f(), f(), f()]);
      case 18:
        return void lines.push([random.pick(['fmadd.d', 'fnmsub.s', 'fmsub.d']), f(), f(), f(), f()]);
      default:
        return void lines.push(
          ...[
            ['fcvt.d.l', f(), x()] as const,
            ['fcvt.w.d', x(), f()] as const,
            ['fmv.d.x', f(), x()] as const,
            ['fcvt.s.d', f(), f()] as const,
            ['feq.d', x(), f(), f()] as const,
            ['fsgnjn.s', f(), f(), f()] as const,
          ]
            .slice(random.below(6))
            .slice(0, 1),
        );
    }
  }

  /** Puts an address into t0: data, misaligned or across pages, now and then the device, code, or nothing. */
  private address(): Line[] {
    const { random } = this;
    const choice = random.below(40);
    if (choice === 0) return [['mv', 't0', 'tp']];
    if (choice === 1) return [['li', 't0', 0x7000_0000]];
    if (choice === 2)
      return [
        ['la', 't0', 'handler'],
        ['addi', 't0', 't0', -2048],
        ['addi', 't0', 't0', -2048],
      ];
    const far = random.below(dataPages) * 4096;
    const near = random.below(4) === 0 ? 4096 - 32 + random.below(24) : 8 * random.below(500);
    return [
      ['li', 't0', far + (random.below(6) === 0 ? near + random.below(8) : near - (near % 8))],
      ['add', 't0', 't0', 'gp'],
    ];
  }

  private system(register: string): void {
    const { random, lines, mode } = this;
    const anywhere: Line[][] = [
      [['ecall']],
      [['ebreak']],
      [['c.ebreak']],
      [['.word', 0]],
      [['csrr', register, 'instret']],
      [['csrr', register, 'cycle']],
      [['csrw', 'fcsr', register]],
      [['csrr', register, 'fflags']],
      [['csrwi', 'frm', random.below(8)]],
      [['csrrw', register, 'mscratch', register]],
      [['fence.i']],
      [['sfence.vma', 'zero', 'zero']],
    ];
    if (mode === 'M')
      anywhere.push(
        [
          ['li', 't0', 0x80],
          ['csrs', 'mie', 't0'],
        ],
        [['csrr', register, 'minstret']],
      );
    lines.push(...(anywhere[random.below(anywhere.length)] ?? []));
  }

  /** Writes one of two instructions over the next but one. */
  private changingCode(register: string): void {
    const { random, lines } = this;
    if (random.below(3) !== 0) return void lines.push(['addi', register, register, 1]);
    const patched = this.label();
    // addi a0, a0, 1 or addi a0, a0, 2
    lines.push(
      ['andi', 't1', register, 1],
      ['slli', 't1', 't1', 20],
      ['li', 't2', 0x0015_0513],
      ['add', 't1', 't1', 't2'],
    );
    lines.push(['la', 't0', patched], ['sh', 't1', 0, 't0'], ['srli', 't1', 't1', 16], ['sh', 't1', 2, 't0']);
    lines.push(`${patched}:`, ['.word', 0x0015_0513]);
  }
}
