// Generates block drivers that are right but for one statement, which stands in a generated function, file and line.
// Register accessors are generated, too: inlined, out of line in a file of their own, or macros.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bareMetal, type GuestProgram, repository } from './harness/compiler';

export type AccessorStyle = 'inline' | 'out-of-line' | 'macro';
export type Stage = 'introduce' | 'describe' | 'request' | 'acknowledge';

export interface Mistake {
  readonly name: string;
  readonly rule: string;
  readonly stage: Stage;
  /** The statement, before and after which the driver is right. */
  readonly statement: (write: string) => string;
}

/** One mistake for each way in which a violation finds its line. */
export const mistakes: readonly Mistake[] = [
  { name: 'status bit cleared', rule: 'status.bit-cleared', stage: 'introduce', statement: (write) => `${write}(base + Status, DRIVER);` },
  { name: 'QueueSize above QueueSizeMax', rule: 'queue.size-above-maximum', stage: 'describe', statement: (write) => `${write}(base + QueueSize, 32768);` },
  { name: 'store to an owned descriptor', rule: 'ownership.descriptor-changed', stage: 'request', statement: () => 'rings.desc[2].next = 5;' },
  { name: 'undefined bits acknowledged', rule: 'interrupt.undefined-bits-acknowledged', stage: 'acknowledge', statement: (write) => `${write}(base + InterruptACK, 0xf0);` },
]; // prettier-ignore

export interface MovedMistake {
  readonly program: GuestProgram;
  readonly function: string;
  /** File name without its folder. */
  readonly file: string;
  readonly line: number;
}

/** Numbers from a seed, equal on every machine. (mulberry32) */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const stages: readonly Stage[] = ['introduce', 'describe', 'request', 'acknowledge'];

/** What a stage does. `@` stands where the mistake goes; R and W stand for the accessors. */
const bodies: Readonly<Record<Stage, readonly string[]>> = {
  introduce: [
    'W(base + Status, 0);',
    'while (R(base + Status) != 0) { }',
    'W(base + Status, ACKNOWLEDGE);',
    '@',
    'W(base + Status, ACKNOWLEDGE | DRIVER);',
    'W(base + DeviceFeaturesSel, 0);',
    '(void)R(base + DeviceFeatures);',
    'W(base + DeviceFeaturesSel, 1);',
    'uint32_t high = R(base + DeviceFeatures) & 1;',
    'W(base + DriverFeaturesSel, 1);',
    'W(base + DriverFeatures, high);',
    'W(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);',
    'if (!(R(base + Status) & FEATURES_OK)) finish(3);',
  ],
  describe: [
    'W(base + QueueSel, 0);',
    'if (R(base + QueueReady) != 0 || R(base + QueueSizeMax) < QUEUE_SIZE) finish(4);',
    '@',
    'W(base + QueueSize, QUEUE_SIZE);',
    'W(base + QueueDescLow, (uint32_t)(uintptr_t)rings.desc);',
    'W(base + QueueDescHigh, 0);',
    'W(base + QueueDriverLow, (uint32_t)(uintptr_t)&rings.avail);',
    'W(base + QueueDriverHigh, 0);',
    'W(base + QueueDeviceLow, (uint32_t)(uintptr_t)&rings.used);',
    'W(base + QueueDeviceHigh, 0);',
    'fence(w, o);',
    'W(base + QueueReady, 1);',
    'W(base + Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);',
  ],
  request: [
    'header.type = VIRTIO_BLK_T_IN;',
    'fill(0, &header, sizeof header, VIRTQ_DESC_F_NEXT, 1);',
    'fill(1, data, SECTOR_SIZE, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2);',
    'fill(2, &answer, 1, VIRTQ_DESC_F_WRITE, 0);',
    'rings.avail.ring[0] = 0;',
    'fence(w, w);',
    'rings.avail.idx = 1;',
    'fence(w, o);',
    'W(base + QueueNotify, 0);',
    '@',
    'while (rings.used.idx != 1) { }',
    'fence(r, r);',
    'if (answer != VIRTIO_BLK_S_OK) finish(5);',
  ],
  acknowledge: [
    'uint32_t events = R(base + InterruptStatus);',
    '@',
    'W(base + InterruptACK, events & 3);',
    'if (R(base + InterruptStatus) != 0) finish(6);',
  ],
};

const sharedHeader = `#pragma once
#include "board.h"
#include "io.h"
#include "virtio.h"
struct rings {
    volatile struct virtq_desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
    volatile struct virtq_avail avail __attribute__((aligned(16)));
    volatile struct virtq_used used __attribute__((aligned(16)));
};
extern struct rings rings;
extern struct virtio_blk_req_header header;
extern char data[SECTOR_SIZE];
extern volatile uint8_t answer;
static inline void fill(unsigned index, volatile const void *at, uint32_t len, uint16_t flags, uint16_t next) {
    rings.desc[index].addr = (uintptr_t)at;
    rings.desc[index].len = len;
    rings.desc[index].flags = flags;
    rings.desc[index].next = next;
}
`;

/**
 * Writes one driver under out/guests/ and says where its mistake went. The same arguments give the same text.
 * @param mistake undefined: a driver without any
 */
export function moveMistake(
  mistake: Mistake | undefined,
  style: AccessorStyle,
  optimisation: '-O0' | '-O2',
  seed: number,
): MovedMistake {
  const below = numbersFrom(seed);
  const word = (): string =>
    Array.from({ length: 4 + below(5) }, (_, i) =>
      i % 2 === 0 ? 'bdfgklmnprstvz'.charAt(below(14)) : 'aeiou'.charAt(below(5)),
    ).join('');
  const name = (): string => `${word()}_${word()}`;
  const read = name();
  const write = name();
  const names = new Map(stages.map((stage) => [stage, name()]));
  const fileCount = 2 + below(3);
  const files = Array.from({ length: fileCount }, (_, i) => ({
    name: `${word()}-${i}.c`,
    lines: ['#include "generated.h"', ''],
  }));

  const noise = (lines: string[]): void => {
    for (let i = below(12); i > 0; i--) lines.push(below(2) === 0 ? '' : `/* ${word()} ${word()} */`);
    if (below(2) === 0) return;
    const helper = name();
    lines.push(`unsigned ${helper}(unsigned value);`, `unsigned ${helper}(unsigned value) {`);
    lines.push(`    return value * ${1 + below(1000)} + ${below(1000)};`, '}');
  };
  const found = { function: '', file: '', line: 0 };
  for (const stage of stages) {
    const file = files[below(fileCount)];
    const own = names.get(stage);
    if (file === undefined || own === undefined) throw new Error('a stage has no place');
    noise(file.lines);
    file.lines.push(`void ${own}(uintptr_t base) {`);
    for (const text of bodies[stage]) {
      for (let i = below(4); i > 0; i--) file.lines.push(below(2) === 0 ? '' : `    /* ${word()} */`);
      if (text !== '@')
        file.lines.push(`    ${text.replace(/\b([RW])\(/g, (_, which) => `${which === 'R' ? read : write}(`)}`);
      else if (mistake?.stage === stage) {
        file.lines.push(`    ${mistake.statement(write)}`);
        Object.assign(found, { function: own, file: file.name, line: file.lines.length });
      }
    }
    // So that the last access is no tail call, which would leave no frame to blame.
    file.lines.push('    __asm__ volatile("" ::: "memory");', '}');
  }
  const main = files[below(fileCount)];
  if (main === undefined) throw new Error('main has no place');
  noise(main.lines);
  main.lines.push(
    '_Noreturn void main(void) {',
    ...mainBody(
      read,
      stages.map((stage) => names.get(stage) ?? ''),
    ),
    '}',
  );

  const { header, source } = accessors(style, read, write);
  const prototypes = [...names.values()].map((one) => `void ${one}(uintptr_t base);`).join('\n');
  const texts = new Map([
    ['generated.h', `${sharedHeader}${header}\n${prototypes}\n`],
    ['memory.c', '#include "generated.h"\nstruct rings rings;\nstruct virtio_blk_req_header header;\nchar data[SECTOR_SIZE];\nvolatile uint8_t answer = 0xff;\n'],
    ...(source === undefined ? [] : [['accessors.c', source] as const]),
    ...files.map((file) => [file.name, `${file.lines.join('\n')}\n`] as const),
  ]); // prettier-ignore
  const label = `${mistake?.name.replace(/\W+/g, '-') ?? 'none'}-${style}-${optimisation.slice(1)}-${seed}`;
  const folder = path.join(repository, 'out/guests/generated', label);
  fs.mkdirSync(folder, { recursive: true });
  for (const [file, text] of texts) fs.writeFileSync(path.join(folder, file), text);
  return {
    program: {
      name: label,
      sources: [
        ...bareMetal, 'media/sample/trap.c', 'media/sample/plic.c',
        ...[...texts.keys()].filter((file) => file.endsWith('.c')).map((file) => path.join(folder, file)),
      ],
      includes: [folder],
      optimisation,
    },
    ...found,
  }; // prettier-ignore
}

function accessors(style: AccessorStyle, read: string, write: string): { header: string; source?: string } {
  const readText = `uint32_t ${read}(uintptr_t address) { return *(volatile uint32_t *)address; }`;
  const writeText = `void ${write}(uintptr_t address, uint32_t value) { *(volatile uint32_t *)address = value; }`;
  switch (style) {
    case 'inline':
      return { header: `static inline ${readText}\nstatic inline ${writeText}` };
    case 'out-of-line':
      return {
        header: `uint32_t ${read}(uintptr_t address);\nvoid ${write}(uintptr_t address, uint32_t value);`,
        source: `#include "generated.h"\n${readText}\n\n${writeText}\n`,
      };
    case 'macro':
      return {
        header: `#define ${read}(address) (*(volatile uint32_t *)(address))\n#define ${write}(address, value) (*(volatile uint32_t *)(address) = (value))`,
      };
  }
}

function mainBody(read: string, steps: readonly string[]): string[] {
  return [
    '    for (unsigned slot = 0; slot < VIRTIO_MMIO_SLOTS; slot++) {',
    '        uintptr_t base = VIRTIO_MMIO + slot * VIRTIO_MMIO_STRIDE;',
    `        if (${read}(base + MagicValue) != MAGIC || ${read}(base + Version) != 2 || ${read}(base + DeviceID) != BLOCK_DEVICE_ID)`,
    '            continue;',
    ...steps.map((step) => `        ${step}(base);`),
    '        print_bytes(data, 20);',
    '        finish(0);',
    '    }',
    '    finish(2);',
  ];
}
