// Every behaviour of the ancestors has tests that exist, or a reason why there are none.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { ancestorBehaviours } from '../../emulator/virtio/spec/statements';
import { behaviours } from '../ancestors/page';

const root = path.resolve(__dirname, '../..');

test('the table holds each of the 136 behaviours once', () => {
  const ids = behaviours.map(({ id }) => id);
  assert.equal(ids.length, 136);
  assert.deepEqual([...ids].sort(), [...ancestorBehaviours].sort());
});

test('each has tests that exist, or a reason', () => {
  const texts = new Map<string, string>();
  for (const row of behaviours) {
    assert.match(row.does, /^\S.*\.$/, `${row.id}: what it was`);
    if (!('tests' in row)) {
      assert.match(row.why, /^\S.{10,}$/, `${row.id}: the reason`);
      continue;
    }
    assert.ok(row.tests.length > 0, row.id);
    for (const { file, name } of row.tests) {
      const text = texts.get(file) ?? fs.readFileSync(path.join(root, file), 'utf8');
      texts.set(file, text);
      assert.ok(name.length > 3 && text.includes(name), `${row.id}: ${file} has no "${name}"`);
    }
  }
});
