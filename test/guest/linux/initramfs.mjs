// Makes a Linux initramfs from a table of entries: a gzipped cpio archive in the "newc" format, which is what the kernel unpacks.
// [Linux, Documentation/driver-api/early-userspace/buffer-format.rst]
import { gzipSync } from 'node:zlib';

const kind = { folder: 0o040000, file: 0o100000, characterDevice: 0o020000 };

/**
 * @param entries `{ name, mode, content }` for a file, `{ name, mode }` for a folder, `{ name, mode, device: [major, minor] }` for a
 *   character device; folders before what they hold
 * @returns {Buffer} the same bytes for the same entries
 */
export function makeInitramfs(entries) {
  const parts = [...entries.map(toMember), member({ name: 'TRAILER!!!', mode: 0, links: 1 })];
  return gzipSync(Buffer.concat(parts), { level: 9 });
}

function toMember({ name, mode, content, device }, index) {
  const number = index + 1;
  if (content !== undefined) return member({ number, name, mode: kind.file | mode, links: 1, content });
  if (device !== undefined) return member({ number, name, mode: kind.characterDevice | mode, links: 1, device });
  return member({ number, name, mode: kind.folder | mode, links: 2 });
}

/** Thirteen hexadecimal fields behind the magic number, then name and content, each filled up to four bytes. */
function member({ number = 0, name, mode, links, content = Buffer.alloc(0), device = [0, 0] }) {
  const time = 0;
  const fields = [number, mode, 0, 0, links, time, content.length, 0, 0, ...device, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([filled(Buffer.from(head, 'latin1')), filled(content)]);
}

function filled(bytes) {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
