// Disk images on the host: overlay never changes the file, write mode commits at a flush, bad files are refused with a reason.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { ImageError, openBlockFile } from '../../../extension/backends/block-file';

function image(bytes: number): string {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-image-')), 'disk.img');
  fs.writeFileSync(
    file,
    Uint8Array.from({ length: bytes }, (_, i) => (i >> 9) & 0xff),
  );
  return file;
}

test('an overlay reads back what was written and leaves the file byte-identical', () => {
  const file = image(5 * 512);
  const before = fs.readFileSync(file);
  const disk = openBlockFile(file, 'overlay');
  disk.write(512 + 100, new Uint8Array(1000).fill(0xaa));
  disk.flush();
  assert.deepEqual([...disk.read(512 + 99, 3)], [1, 0xaa, 0xaa]);
  assert.equal(disk.read(4 * 512, 512)[0], 4);
  disk.close();
  assert.deepEqual(fs.readFileSync(file), before);
});

test('write mode changes the file at the flush, not before', () => {
  const file = image(9 * 512);
  const disk = openBlockFile(file, 'write');
  disk.write(8 * 512, new Uint8Array(512).fill(0x55));
  assert.equal(fs.readFileSync(file)[8 * 512], 8);
  disk.flush();
  assert.equal(fs.readFileSync(file)[8 * 512], 0x55);
  assert.equal(fs.statSync(file).size, 9 * 512);
  disk.close();
});

test('a read-only image refuses writes, and nothing reaches beyond the end', () => {
  const disk = openBlockFile(image(1024), 'readonly');
  assert.throws(() => disk.write(0, new Uint8Array(1)), RangeError);
  assert.throws(() => disk.read(1000, 100), RangeError);
  assert.throws(() => disk.read(-1, 1), RangeError);
  disk.close();
});

test('a missing file, a folder, an empty file and a broken size are refused with what to do', () => {
  assert.throws(() => openBlockFile('/nowhere/disk.img', 'overlay'), /does not exist; check the path/);
  assert.throws(() => openBlockFile(os.tmpdir(), 'overlay'), ImageError);
  assert.throws(() => openBlockFile(image(0), 'overlay'), /is empty/);
  assert.throws(
    () => openBlockFile(image(1000), 'overlay'),
    /1000 bytes, which is not a multiple of 512; pad it to 1024 bytes/,
  );
});
