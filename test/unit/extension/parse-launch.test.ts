// Launch configurations: every default, every refusal by name, and hostile input.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ConfigurationError,
  type LaunchContext,
  parseLaunchConfiguration,
} from '../../../extension/worker/parse-launch';

const context: LaunchContext = { resolvePath: (file) => `/w/${file}`, mayWriteFiles: false };
const parse = (raw: unknown) => parseLaunchConfiguration(raw, context);
function problems(raw: unknown): readonly string[] {
  try {
    parse(raw);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

test('a minimal configuration gets every default', () => {
  assert.deepEqual(parse({ program: 'kernel.elf' }), {
    name: 'guest',
    guest: '/w/kernel.elf',
    symbols: ['/w/kernel.elf'],
    bios: { kind: 'automatic' },
    memoryBytes: 128 << 20,
    harts: 1,
    aia: 'none',
    devices: [],
    rules: [],
    accessors: [],
    clock: 'paced',
    seed: 1,
    historyBytes: 256 << 20,
    stopOnEntry: false,
  });
});

test('with kernel and program, the kernel is loaded and the program supplies symbols only', () => {
  const both = parse({ program: 'vmlinux', kernel: 'Image' });
  assert.equal(both.guest, '/w/Image');
  assert.deepEqual(both.symbols, ['/w/vmlinux']);
});

test('devices get names, latencies and an overlay by default', () => {
  const { devices } = parse({
    program: 'k',
    devices: [
      { type: 'block', image: 'a.img' },
      { type: 'block', image: 'b.img', latency: '2.5ms', slot: 0 },
      { type: 'console' },
    ],
  });
  assert.deepEqual(
    devices.map((device) => device.name),
    ['vda', 'vdb', 'console0'],
  );
  assert.equal(devices[0]?.mode, 'overlay');
  assert.equal(devices[0]?.completeNanoseconds, 10_000);
  assert.equal(devices[1]?.completeNanoseconds, 2_500_000);
  assert.equal(devices[1]?.slot, 0);
});

/** One wrong thing each, and what the message must name. */
const wrong: readonly (readonly [string, object, RegExp])[] = [
  ['nothing to run', {}, /^program: missing/],
  ['unknown attribute', { program: 'k', devcies: [] }, /^devcies: unknown attribute \(did you mean "devices"\?\)/],
  [
    'history beyond all measure',
    { program: 'k', history: '9G' },
    /^history: found "9G", expected a size from 16M to 8G/,
  ],
  ['memory without a unit', { program: 'k', memory: '128' }, /^memory: found "128", expected a size/],
  ['too much memory', { program: 'k', memory: '4G' }, /^memory: found "4G"/],
  [
    'another interrupt controller',
    { program: 'k', aia: 'imsic' },
    /^aia: found "imsic", expected one of none, aplic, aplic-imsic/,
  ],
  ['a fraction of a hart', { program: 'k', harts: 1.5 }, /^harts: found 1.5, expected a whole number from 1 to 8/],
  ['clock', { program: 'k', clock: 'fast' }, /^clock: found "fast", expected one of paced, warp/],
  [
    'rule action',
    { program: 'k', rules: { must: 'stop' } },
    /^rules\["must"\]: found "stop", expected break, report or off/,
  ],
  [
    'device type',
    { program: 'k', devices: [{ type: 'disk' }] },
    /^devices\[0\]\.type: found "disk", expected one of block, console, entropy/,
  ],
  ['unknown device', { program: 'k', devices: [{ type: 'gpu' }] }, /type: found "gpu", expected one of block/],
  ['network backend', { program: 'k', devices: [{ type: 'net', backend: 'tap' }] }, /backend: found "tap"/],
  ['network address', { program: 'k', devices: [{ type: 'net', mac: '01:00:00:00:00:01' }] }, /mac: .*unicast/],
  ['key of another backend', { program: 'k', devices: [{ type: 'net', tftp: '.' }] }, /tftp: means nothing .* "user"/],
  ['replay without a file', { program: 'k', devices: [{ type: 'net', backend: 'replay' }] }, /replay: missing/],
  ['too many pairs', { program: 'k', devices: [{ type: 'net', pairs: 9 }] }, /pairs: found 9/],
  [
    'transport',
    { program: 'k', devices: [{ type: 'entropy', transport: 'ccw' }] },
    /transport: found "ccw", expected one of mmio, mmio-legacy, pci,/,
  ],
  [
    'packed ring on a legacy transport',
    { program: 'k', devices: [{ type: 'entropy', transport: 'mmio-legacy', ring: 'packed' }] },
    /ring: "packed" cannot be offered on transport mmio-legacy/,
  ],
  [
    'mood',
    { program: 'k', devices: [{ type: 'entropy', mood: { slowReset: 1 } }] },
    /devices\[0\]\.mood: slowReset: found number/,
  ],
  [
    'a mood of numbers',
    { program: 'k', devices: [{ type: 'entropy', mood: 3 }] },
    /devices\[0\]\.mood: expected "strict"/,
  ],
  [
    'a mood that cannot be had',
    { program: 'k', devices: [{ type: 'entropy', mood: 'splitFrames' }] },
    /"splitFrames" cannot be had/,
  ],
  ['block without image', { program: 'k', devices: [{ type: 'block' }] }, /devices\[0\]\.image: missing/],
  [
    'image for entropy',
    { program: 'k', devices: [{ type: 'entropy', image: 'x' }] },
    /devices\[0\]\.image: unknown for a entropy device/,
  ],
  [
    'write mode without trust',
    { program: 'k', devices: [{ type: 'block', image: 'x', mode: 'write' }] },
    /a workspace must be trusted/,
  ],
  [
    'two devices in one slot',
    {
      program: 'k',
      devices: [
        { type: 'entropy', slot: 2 },
        { type: 'console', slot: 2 },
      ],
    },
    /devices\[1\]\.slot: slot 2 is taken by devices\[0\]/,
  ],
  [
    'two devices of one name',
    {
      program: 'k',
      devices: [
        { type: 'entropy', name: 'a' },
        { type: 'console', name: 'a' },
      ],
    },
    /devices\[1\]\.name: "a" is taken/,
  ],
  [
    'nine devices',
    { program: 'k', devices: Array.from({ length: 9 }, () => ({ type: 'entropy' })) },
    /devices: found 9, expected at most 8/,
  ],
  [
    'queue size not a power of two',
    { program: 'k', devices: [{ type: 'entropy', queueSize: 24 }] },
    /queueSize: found 24, expected a power of two/,
  ],
  [
    'feature without a sign',
    { program: 'k', devices: [{ type: 'entropy', features: ['EVENT_IDX'] }] },
    /features: found "EVENT_IDX", expected \+ or -/,
  ],
  [
    'latency without a unit',
    { program: 'k', devices: [{ type: 'entropy', latency: '10' }] },
    /latency: found "10", expected a time/,
  ],
];
for (const [name, raw, expected] of wrong) {
  test(`refused: ${name}`, () => {
    const found = problems(raw);
    assert.ok(
      found.some((problem) => expected.test(problem)),
      `expected ${String(expected)}, found\n${found.join('\n')}`,
    );
  });
}

test('all problems are named at once', () => {
  assert.equal(problems({ harts: 0, memory: 'much', clock: 1 }).length, 4);
});

test('any value at all is either accepted or refused with a ConfigurationError', () => {
  fc.assert(
    fc.property(fc.anything({ maxDepth: 3 }), (raw) => {
      problems(raw);
    }),
    { numRuns: 300 },
  );
  const attributes = [
    'program',
    'kernel',
    'bios',
    'devices',
    'memory',
    'rules',
    'features',
    'type',
    'image',
    'slot',
    'latency',
    'queueSize',
    'name',
    'accessors',
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...attributes), fc.anything({ maxDepth: 3 })), (raw) => {
      problems({ ...raw, devices: [raw] });
    }),
    { numRuns: 300 },
  );
});
