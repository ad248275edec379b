// The generated device tree against QEMU's own and dtc, and the flattened format against any input.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { chosenProperties, generateDeviceTree, randomSeedFor } from '../../../emulator/board/device-tree';
import {
  checkDeviceTree,
  type DeviceTreeNode,
  type FlattenedDeviceTree,
  propertyValue,
  readDeviceTree,
  withProperties,
  writeDeviceTree,
} from '../../../emulator/board/flattened-device-tree';
import type { Aia } from '../../../emulator/configuration';
import { LoadError } from '../../../emulator/board/loaders/load-error';

const generate = (harts: number, memoryBytes = 128 << 20, aia: Aia = 'none'): FlattenedDeviceTree =>
  generateDeviceTree({
    ...{ harts, aia },
    memoryBytes,
    randomSeed: randomSeedFor(1),
    chosen: chosenProperties({ append: 'x y', initrd: { start: 0x8420_0000, end: 0x8420_0bb8 } }),
  });

/** Every node by its path, with its properties as hexadecimal text. */
function flatten(tree: FlattenedDeviceTree): Map<string, Map<string, string>> {
  const nodes = new Map<string, Map<string, string>>();
  const visit = (node: DeviceTreeNode, at: string): void => {
    nodes.set(at, new Map(node.properties.map(({ name, value }) => [name, Buffer.from(value).toString('hex')])));
    for (const child of node.children) visit(child, `${at}/${child.name}`);
  };
  visit(tree.root, '');
  return nodes;
}

/** QEMU's nodes for devices that this board does not have (yet), and properties that must differ. */
const notOnThisBoard = ['/pmu', '/platform-bus@4000000'];
const mayDiffer = new Set(['rng-seed', 'riscv,isa', 'mmu-type']);
/** What the processor has and QEMU 7.2 has not. */
const ours = /^riscv,cbo[mpz]-block-size$/;

const boards = [
  [1, 'none'],
  [4, 'none'],
  [3, 'aplic'],
  [1, 'aplic-imsic'],
  [4, 'aplic-imsic'],
] as const;
for (const [harts, aia] of boards) {
  test(`with ${harts} harts and aia ${aia} the tree equals QEMU's for every device that both have`, () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-tree-'));
    try {
      const files = {
        dtb: path.join(folder, 'qemu.dtb'),
        kernel: path.join(folder, 'k'),
        initrd: path.join(folder, 'i'),
      };
      fs.writeFileSync(files.kernel, Buffer.alloc(5000));
      fs.writeFileSync(files.initrd, Buffer.alloc(3000));
      execFileSync(
        'qemu-system-riscv64',
        [
          ...['-M', `virt,aia=${aia},dumpdtb=${files.dtb}`, '-display', 'none', '-m', '128M', '-smp', String(harts)],
          ...['-kernel', files.kernel, '-initrd', files.initrd, '-append', 'x y'],
        ],
        { stdio: 'pipe' },
      );
      const theirs = flatten(readDeviceTree(fs.readFileSync(files.dtb)));
      const own = flatten(generate(harts, 128 << 20, aia));
      assert.deepEqual([...theirs.keys()].filter((at) => !own.has(at)).sort(), [...notOnThisBoard].sort());
      for (const [at, properties] of own) {
        const expected = theirs.get(at);
        assert.ok(expected, `QEMU has no node ${at}`);
        const names = [...properties.keys()].filter((name) => !ours.test(name));
        assert.deepEqual(names.sort(), [...expected.keys()].sort(), `properties of ${at}`);
        for (const [name, value] of properties) {
          if (!mayDiffer.has(name) && !ours.test(name)) assert.equal(value, expected.get(name), `${at}/${name}`);
        }
      }
      const slots = [...own.keys()].filter((at) => at.startsWith('/soc/virtio_mmio'));
      assert.deepEqual(
        slots,
        [...theirs.keys()].filter((at) => at.startsWith('/soc/virtio_mmio')),
        'the slots stand in the same order, top down',
      );
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
}

test('dtc reads the tree and gives it back', () => {
  const bytes = writeDeviceTree(generate(2, 3 * 2 ** 30));
  const source = spawnSync('dtc', ['-q', '-I', 'dtb', '-O', 'dts'], { input: bytes });
  assert.equal(source.status, 0, source.stderr.toString());
  assert.equal(source.stderr.toString(), '');
  assert.match(source.stdout.toString(), /memory@80000000 \{[^}]*reg = <0x00 0x80000000 0x00 0xc0000000>/);
  const again = spawnSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb'], { input: source.stdout });
  assert.equal(again.status, 0, again.stderr.toString());
  assert.deepEqual(flatten(readDeviceTree(again.stdout)), flatten(readDeviceTree(bytes)));
});

test('the random seed depends on the seed alone', () => {
  assert.deepEqual(randomSeedFor(7), randomSeedFor(7));
  assert.notDeepEqual(randomSeedFor(7), randomSeedFor(8));
  assert.equal(randomSeedFor(0).length, 32);
  assert.ok(new Set(randomSeedFor(0)).size > 16, 'it looks random');
});

/** Records as object literals make them, so that deepEqual compares. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });

const nodes = (depth: number): fc.Arbitrary<DeviceTreeNode> =>
  plain<DeviceTreeNode>({
    name: fc.string({ unit: fc.constantFrom(...Array.from('abc@0,-é')), maxLength: 12 }),
    properties: fc.array(
      plain({
        name: fc.string({ unit: fc.constantFrom(...Array.from('pq,#')), minLength: 1 }),
        value: fc.uint8Array(),
      }),
      { maxLength: 4 },
    ),
    children: depth === 0 ? fc.constant([]) : fc.array(nodes(depth - 1), { maxLength: 3 }),
  });
const trees = plain({
  root: nodes(3),
  reservations: fc.array(
    plain({
      address: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      size: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    }),
    { maxLength: 3 },
  ),
  bootHart: fc.nat({ max: 7 }),
});

test('what is written is read back, and trailing bytes do not matter', () => {
  fc.assert(
    fc.property(trees, fc.uint8Array(), (tree, trailing) => {
      const bytes = writeDeviceTree(tree);
      const file = Uint8Array.from([...bytes, ...trailing]);
      assert.deepEqual(readDeviceTree(file), tree);
      assert.equal(checkDeviceTree(file).length, bytes.length);
    }),
    { numRuns: 100 },
  );
});

test('a damaged tree is read or refused with a LoadError, never anything else', () => {
  const bytes = writeDeviceTree(generate(2));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
      fc.nat({ max: bytes.length }),
      (changes, length) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        for (const file of [damaged, damaged.subarray(0, length)]) {
          try {
            readDeviceTree(file);
          } catch (error) {
            assert.ok(error instanceof LoadError, String(error));
            assert.equal(error.attribute, 'dtb');
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('refusals say what was found', () => {
  assert.throws(
    () => checkDeviceTree(Buffer.from('/dts-v1/; / { model = "a board of mine"; };')),
    /source text: compile it with dtc/,
  );
  assert.throws(() => checkDeviceTree(new Uint8Array(3)), /found 3 bytes/);
  const bytes = writeDeviceTree(generate(1));
  assert.throws(() => checkDeviceTree(bytes.subarray(0, 100)), /the file has 100: is it cut off\?/);
  const deep: DeviceTreeNode = Array.from({ length: 200 }).reduce<DeviceTreeNode>(
    (child) => ({ name: 'n', properties: [], children: [child] }),
    { name: 'n', properties: [], children: [] },
  );
  assert.throws(
    () => readDeviceTree(writeDeviceTree({ root: deep, reservations: [], bootHart: 0 })),
    /nested more than 64/,
  );
});

test('/chosen of a user tree is completed, the rest stays', () => {
  const own: FlattenedDeviceTree = {
    root: {
      name: '',
      properties: [{ name: 'model', value: propertyValue.text('mine') }],
      children: [
        {
          name: 'chosen',
          properties: [
            { name: 'bootargs', value: propertyValue.text('old') },
            { name: 'kept', value: propertyValue.cells(1) },
          ],
          children: [],
        },
      ],
    },
    reservations: [{ address: 0x8000_0000n, size: 0x1000n }],
    bootHart: 0,
  };
  const changed = flatten(withProperties(own, 'chosen', chosenProperties({ append: 'nü', initrd: undefined })));
  assert.equal(Buffer.from(changed.get('/chosen')?.get('bootargs') ?? '', 'hex').toString(), 'nü\0');
  assert.equal(changed.get('/chosen')?.get('kept'), '00000001');
  assert.equal(changed.get('')?.get('model'), Buffer.from('mine\0').toString('hex'));
});

test("under the builtin SBI the machine level of the interrupt controllers is not the guest's", () => {
  const tree = (machineLevelTaken: boolean) =>
    flatten(
      generateDeviceTree({
        ...{ harts: 1, memoryBytes: 8 << 20, randomSeed: randomSeedFor(1), chosen: [], aia: 'aplic-imsic' },
        machineLevelTaken,
      }),
    );
  const disabled = (nodes: ReturnType<typeof flatten>): readonly string[] =>
    [...nodes].filter(([, properties]) => properties.get('status') === '64697361626c656400').map(([at]) => at);
  assert.deepEqual(disabled(tree(false)), []);
  assert.deepEqual(disabled(tree(true)), ['/soc/aplic@c000000', '/soc/imsics@24000000']);
});
