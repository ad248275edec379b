// The command line from outside: exit status, streams, reports, bad input. [design: command line]
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { assemble, type Line } from '../assembler';
import { ringside } from './harness/command';
import { sampleFolder } from './harness/compiler';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-cli-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const correct = path.join(sampleFolder, 'correct.elf');
const faulty = path.join(sampleFolder, 'faulty.elf');
const disk = `block,image=${path.join(sampleFolder, 'disk.img')}`;
const at = (name: string): string => path.join(scratch, name);

function raw(name: string, program: readonly Line[]): string {
  const file = at(name);
  fs.writeFileSync(file, assemble(program).bytes);
  return file;
}
const finisher = (value: number): readonly Line[] => [
  ['li', 'a0', 0x10_0000],
  ['li', 'a1', value],
  ['sw', 'a1', 0, 'a0'],
  'loop:',
  ['j', 'loop'],
];

test('0: a correct guest; its console is standard output and nothing else', async () => {
  const run = await ringside(['run', '--device', disk, correct]);
  assert.equal(run.status, 0);
  assert.match(run.output, /^block device: 128 sectors/);
  assert.doesNotMatch(run.output, /ringside/);
  assert.match(run.errors, /0 MUST, 0 SHOULD, 0 hazards/);
});

test('a driver that meets the other version of virtio-mmio, or looks into an empty slot, is told what to set', async () => {
  const version = await ringside(['run', '--device', `${disk},transport=mmio-legacy`, correct]);
  assert.equal(version.status, 4);
  assert.match(
    version.errors,
    /vd[a-z]: the guest read Version 1 and left the device alone\. .* set "transport": "mmio"/,
  );
  // A driver that looks into slot 0 only.
  const looking = raw('slot0.bin', [
    ['li', 'a0', 0x1000_1000],
    ['lw', 'a1', 0, 'a0'],
    ['lw', 'a1', 4, 'a0'],
    ['lw', 'a1', 8, 'a0'],
    ...finisher(0x3333 | (1 << 16)),
  ]);
  const slot = await ringside(['run', '--bios', 'none', '--device', disk, looking]);
  assert.match(slot.errors, /looked for devices in slot 0, which is empty, and not in slot 7, .* set "slot": 0/);
  const met = await ringside(['run', '--device', disk, correct]);
  assert.doesNotMatch(met.errors, /looked for|left the device alone/);
});

test('1: violations at or above --fail-on; the JSON report has every field of the contract', async () => {
  const report = at('report.json');
  const run = await ringside(['run', '--device', disk, '--report', `json:${report}`, faulty]);
  assert.equal(run.status, 1);
  const parsed = JSON.parse(fs.readFileSync(report, 'utf8')) as {
    guest: string;
    exit: number;
    violations: Record<string, unknown>[];
  };
  assert.equal(parsed.exit, 1);
  const first = parsed.violations[0];
  assert.deepEqual(Object.keys(first ?? {}).sort(), [
    'count',
    'device',
    'evidence',
    'family',
    'function',
    'hart',
    'level',
    'message',
    'pc',
    'queue',
    'related',
    'rule',
    'section',
    'source',
    'stack',
    'statements',
    'step',
    'title',
  ]);
  assert.equal(first?.['rule'], 'init.no-acknowledge');
  assert.match(String(first['source']), /faulty\/virtio_mmio\.c:\d+$/);
  assert.match(String(first['pc']), /^0x8[0-9a-f]+$/);
  assert.equal(first['queue'], null);
  assert.equal(first['device'], 'vda');
});

test('--on-violation stop ends at the first; rules that are off do not count', async () => {
  const stopped = await ringside(['run', '--device', disk, '--on-violation', 'stop', '--report', 'json', faulty]);
  assert.equal(stopped.status, 1);
  assert.doesNotMatch(stopped.output, /done/);
  assert.equal((await ringside(['run', '--device', disk, '--rules', '*=off', faulty])).status, 0);
});

test('4: the guest reports failure; 0: it powers off', async () => {
  assert.equal(
    (await ringside(['run', '--memory', '16M', raw('fail.bin', finisher((7 << 16) | 0x3333)), '--bios', 'none']))
      .status,
    4,
  );
  assert.equal(
    (await ringside(['run', '--memory', '16M', raw('pass.bin', finisher(0x5555)), '--bios', 'none'])).status,
    0,
  );
});

test('3: a spin meets --max-instructions and --timeout, a sleeper hangs, a lost guest crashes', async () => {
  const spin = raw('spin.bin', ['loop:', ['j', 'loop']]);
  const limited = await ringside(['run', '--bios', 'none', '--memory', '16M', '--max-instructions', '100000', spin]);
  assert.equal(limited.status, 3);
  assert.match(limited.errors, /did not end within 100000 instructions/);
  const timed = await ringside(['run', '--bios', 'none', '--memory', '16M', '--timeout', '0.3', spin]);
  assert.equal(timed.status, 3);
  const asleep = await ringside([
    'run',
    '--bios',
    'none',
    '--memory',
    '16M',
    raw('wfi.bin', ['loop:', ['wfi'], ['j', 'loop']]),
  ]);
  assert.equal(asleep.status, 3);
  assert.match(asleep.errors, /nothing can wake it/);
  const lost = await ringside([
    'run',
    '--bios',
    'none',
    '--memory',
    '16M',
    raw('lost.bin', [
      ['li', 'a0', 0x4000_0000],
      ['jr', 'a0'],
    ]),
  ]);
  assert.equal(lost.status, 3);
  assert.match(lost.errors, /only trap for ever/);
});

test('a dialogue: expect, send at the step of the match, end with the script; an expect that never comes is 3', async () => {
  const echo = raw('echo.bin', [
    ['li', 's0', 0x1000_0000],
    ...Array.from('ready>').flatMap((character): Line[] => [['li', 'a0', character.charCodeAt(0)], ['sb', 'a0', 0, 's0']]),
    'wait:', ['lbu', 'a1', 5, 's0'], ['andi', 'a1', 'a1', 1], ['beqz', 'a1', 'wait'],
    ['lbu', 'a0', 0, 's0'], ['addi', 'a0', 'a0', 1], ['sb', 'a0', 0, 's0'], ['j', 'wait'],
  ]); // prettier-ignore
  const script = at('talk.txt');
  fs.writeFileSync(script, '# a dialogue\nexpect ready>\nsend abc\nexpect bcd\n');
  const talk = await ringside(['run', '--bios', 'none', '--memory', '16M', '--script', script, echo]);
  assert.deepEqual([talk.status, talk.output], [0, 'ready>bcd']);
  fs.writeFileSync(script, 'timeout 0.3\nexpect never\n');
  const missed = await ringside(['run', '--bios', 'none', '--memory', '16M', '--script', script, echo]);
  assert.equal(missed.status, 3);
  assert.match(missed.errors, /"never" did not come within 0.3 s/);
  assert.equal((await ringside(['run', '--bios', 'none', '--memory', '16M', '--expect', 'ead', echo])).status, 0);
});

test('--trace and --stats write what they say', async () => {
  const [trace, stats] = [at('trace.jsonl'), at('stats.json')];
  await ringside(['run', '--device', disk, '--trace', trace, '--stats', stats, correct]);
  const events = fs.readFileSync(trace, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { index: number; kind: string; pc?: string }); // prettier-ignore
  const numbers = JSON.parse(fs.readFileSync(stats, 'utf8')) as Record<string, number>;
  assert.equal(numbers['events'], events.length);
  assert.deepEqual(events.map((event) => event.index), events.map((_, index) => index)); // prettier-ignore
  assert.ok(events.some((event) => event.kind === 'publish' && /^0x8/.test(event.pc ?? '')));
  for (const key of ['steps', 'instructions', 'wallSeconds', 'mips', 'events', 'violations', 'exit'])
    assert.ok(key in numbers, key);
});

/** Input that cannot be used: exit status 2, and a message that says what was found and what to do. */
const elf = new Uint8Array(fs.readFileSync(correct));
const patched = (name: string, change: (bytes: Uint8Array) => void): string => {
  const bytes = elf.slice();
  change(bytes);
  fs.writeFileSync(at(name), bytes);
  return at(name);
};
fs.writeFileSync(at('odd.img'), new Uint8Array(1000));
fs.writeFileSync(at('large.img'), new Uint8Array(2 << 20));
fs.writeFileSync(at('empty.elf'), '');
fs.mkdirSync(at('folder'));
fs.writeFileSync(at('Image.gz'), Uint8Array.from([0x1f, 0x8b, 8, 0, ...new Uint8Array(600)]));
fs.writeFileSync(at('disk.qcow2'), Uint8Array.from([0x51, 0x46, 0x49, 0xfb, ...new Uint8Array(1020)]));
const unusable: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a missing guest', [at('nothing.elf')], /nothing\.elf does not exist; build the guest first/],
  ['an empty guest', [at('empty.elf')], /is empty/],
  ['a folder as guest', [at('folder')], /is not a file/],
  ['a 32-bit ELF', [patched('elf32.elf', (bytes) => void (bytes[4] = 1))], /32-bit/],
  ['an ELF for another machine', [patched('x86.elf', (bytes) => void (bytes[18] = 62))], /RISC-V/],
  ['a big-endian ELF', [patched('big.elf', (bytes) => void (bytes[5] = 2))], /endian/],
  ['a cut-off ELF', [patched('short.elf', (bytes) => bytes.fill(0xff, 32, 40))], /./],
  ['a compressed kernel', [at('Image.gz')], /found a gzip file: unpack it with gunzip/],
  ['an initrd larger than memory', ['--memory', '1M', '--initrd', at('large.img'), correct], /./],
  [
    'an image in a format of its own',
    ['--device', `block,image=${at('disk.qcow2')}`, correct],
    /is a QCOW2 file, expected a raw image; convert it/,
  ],
  [
    'an image of a broken size',
    ['--device', `block,image=${at('odd.img')}`, correct],
    /1000 bytes, which is not a multiple of 512/,
  ],
  ['a missing image', ['--device', `block,image=${at('no.img')}`, correct], /no\.img does not exist/],
  ['an unknown feature', ['--device', `${disk},features=+EVENT_IDEX`, correct], /no feature "EVENT_IDEX"/],
  ['two devices in one slot', ['--device', 'entropy,slot=1', '--device', 'console,slot=1', correct], /slot 1 is taken/],
  ['an unknown rule', ['--rules', 'split.indirekt=off', correct], /"split\.indirekt" matches no rule/],
  ['a report that cannot be written', ['--trace', at('folder'), correct], /--trace: .* cannot be written/],
];
for (const [name, words, expected] of unusable) {
  test(`2: ${name}`, async () => {
    const run = await ringside(['run', ...words]);
    assert.equal(run.status, 2, run.errors);
    assert.match(run.errors, expected);
    assert.doesNotMatch(run.errors, /internal error|\n\s+at /);
  });
}

test('rules, disasm and help', async () => {
  const rules = await ringside(['rules', '--json']);
  assert.equal(rules.status, 0);
  assert.ok(typeof JSON.parse(rules.output) === 'object');
  const text = await ringside(['disasm', correct]);
  assert.match(text.output, /<virtqueue_publish>:\n.*\n/);
  assert.match((await ringside(['help'])).output, /ringside run/);
  assert.equal((await ringside(['dance'])).status, 2);
});
