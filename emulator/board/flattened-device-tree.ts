// The flattened device tree format, version 17: a tree in, bytes out, and back. [Devicetree Specification 0.4, 5]
// Guarantees: reading never goes outside the bytes given, and ends for any input.
import { LoadError } from './loaders/load-error';

export interface DeviceTreeNode {
  readonly name: string;
  readonly properties: readonly DeviceTreeProperty[];
  readonly children: readonly DeviceTreeNode[];
}
export interface DeviceTreeProperty {
  readonly name: string;
  readonly value: Uint8Array;
}
export interface FlattenedDeviceTree {
  readonly root: DeviceTreeNode;
  readonly reservations: readonly { readonly address: bigint; readonly size: bigint }[];
  readonly bootHart: number;
}

const magic = 0xd00dfeed;
const version = 17;
const oldestCompatibleVersion = 16;
const headerBytes = 40;
const token = { beginNode: 1, endNode: 2, property: 3, nop: 4, end: 9 } as const;
/** Deeper trees do not occur; the limit keeps a hostile file from exhausting the stack. */
const deepest = 64;
/** Longer names than the standard's 31 characters occur; the limit keeps reading linear for a hostile file. */
const longestName = 255;

/** Bytes of a property, by kind of value. */
export const propertyValue = {
  empty: (): Uint8Array => new Uint8Array(0),
  text: (...strings: readonly string[]): Uint8Array => {
    const bytes: number[] = [];
    for (const text of strings) bytes.push(...utf8(text), 0);
    return Uint8Array.from(bytes);
  },
  /** 32-bit numbers. */
  cells: (...cells: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(cells.length * 4);
    const view = new DataView(bytes.buffer);
    cells.forEach((cell, index) => view.setUint32(index * 4, cell));
    return bytes;
  },
  /** 64-bit numbers, two cells each. */
  wide: (...values: readonly number[]): Uint8Array =>
    propertyValue.cells(...values.flatMap((value) => [Math.floor(value / 2 ** 32), value % 2 ** 32])),
} as const;

export function writeDeviceTree(tree: FlattenedDeviceTree): Uint8Array {
  const strings = new ByteSink();
  const stringOffsets = new Map<string, number>();
  const structure = new ByteSink();
  const offsetOf = (name: string): number => {
    let offset = stringOffsets.get(name);
    if (offset === undefined) {
      offset = strings.length;
      stringOffsets.set(name, offset);
      strings.bytes([...nameBytes(name), 0]);
    }
    return offset;
  };
  const writeNode = (node: DeviceTreeNode): void => {
    structure.word(token.beginNode);
    structure.bytes([...nameBytes(node.name), 0]);
    structure.align(4);
    for (const { name, value } of node.properties) {
      structure.word(token.property);
      structure.word(value.length);
      structure.word(offsetOf(name));
      structure.bytes(value);
      structure.align(4);
    }
    node.children.forEach(writeNode);
    structure.word(token.endNode);
  };
  writeNode(tree.root);
  structure.word(token.end);

  const reservations = new ByteSink();
  for (const { address, size } of [...tree.reservations, { address: 0n, size: 0n }]) {
    for (const value of [address, size]) {
      reservations.word(Number(value >> 32n));
      reservations.word(Number(value & 0xffff_ffffn));
    }
  }
  const structureAt = headerBytes + reservations.length;
  const stringsAt = structureAt + structure.length;
  const out = new ByteSink();
  const header = [
    magic,
    stringsAt + strings.length,
    structureAt,
    stringsAt,
    headerBytes,
    version,
    oldestCompatibleVersion,
    tree.bootHart,
    strings.length,
    structure.length,
  ];
  header.forEach((word) => out.word(word));
  for (const part of [reservations, structure, strings]) out.bytes(part.content());
  return out.content();
}

/**
 * Magic number and sizes only: for a tree that is handed to the guest as it is.
 * @returns the tree's bytes without what follows them in the file
 * @throws LoadError for attribute `dtb`
 */
export function checkDeviceTree(bytes: Uint8Array): Uint8Array {
  if (bytes.length < headerBytes) {
    throw refuse(`expected a device tree blob, found ${bytes.length} bytes: give the output of dtc -O dtb`);
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = header.getUint32(0);
  if (found !== magic) {
    const source = bytes[0] === 0x2f ? ' This looks like source text: compile it with dtc -O dtb first.' : '';
    throw refuse(
      `expected the magic number 0xd00dfeed of a device tree blob, found 0x${found.toString(16).padStart(8, '0')}.${source}`,
    );
  }
  const totalBytes = header.getUint32(4);
  if (totalBytes > bytes.length || totalBytes < headerBytes) {
    throw refuse(`its header says ${totalBytes} bytes, the file has ${bytes.length}: is it cut off?`);
  }
  return bytes.subarray(0, totalBytes);
}

/** @throws LoadError for attribute `dtb`, saying what does not fit together */
export function readDeviceTree(file: Uint8Array): FlattenedDeviceTree {
  const bytes = checkDeviceTree(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number => {
    if (at < 0 || at + 4 > bytes.length) throw refuse(`its structure leaves the file at offset ${at}`);
    return view.getUint32(at);
  };
  const compatible = word(24);
  if (compatible > version) {
    throw refuse(`its format needs a reader of version ${compatible}, this one knows ${version}`);
  }
  const textAt = (at: number): string => {
    const name = bytes.subarray(at, at + longestName + 1);
    const end = name.indexOf(0);
    if (end < 0) throw refuse(`the name at offset ${at} has no end within ${longestName} bytes`);
    return String.fromCharCode(...name.subarray(0, end));
  };
  const reservations: { address: bigint; size: bigint }[] = [];
  for (let at = word(16); ; at += 16) {
    const address = (BigInt(word(at)) << 32n) | BigInt(word(at + 4));
    const size = (BigInt(word(at + 8)) << 32n) | BigInt(word(at + 12));
    if (address === 0n && size === 0n) break;
    reservations.push({ address, size });
  }

  const stringsAt = word(12);
  let at = word(8);
  const readNode = (depth: number): DeviceTreeNode => {
    if (depth > deepest) throw refuse(`its nodes are nested more than ${deepest} deep`);
    const name = textAt(at);
    at = alignUp(at + name.length + 1);
    const properties: DeviceTreeProperty[] = [];
    const children: DeviceTreeNode[] = [];
    for (;;) {
      const kind = word(at);
      at += 4;
      if (kind === token.endNode) return { name, properties, children };
      if (kind === token.beginNode) children.push(readNode(depth + 1));
      else if (kind === token.property) {
        const length = word(at);
        const propertyName = textAt(stringsAt + word(at + 4));
        if (at + 8 + length > bytes.length) throw refuse(`property ${propertyName} is longer than the file`);
        properties.push({ name: propertyName, value: bytes.slice(at + 8, at + 8 + length) });
        at = alignUp(at + 8 + length);
      } else if (kind !== token.nop) throw refuse(`unknown token ${kind} at offset ${at - 4}`);
    }
  };
  while (word(at) === token.nop) at += 4;
  if (word(at) !== token.beginNode) throw refuse(`it does not begin with a node but with token ${word(at)}`);
  at += 4;
  const root = readNode(0);
  return { root, reservations, bootHart: word(28) };
}

/** The tree with properties of one child of the root replaced or added; the child is made when there is none. */
export function withProperties(
  tree: FlattenedDeviceTree,
  child: string,
  properties: readonly DeviceTreeProperty[],
): FlattenedDeviceTree {
  const { root } = tree;
  const old = root.children.find((node) => node.name === child) ?? { name: child, properties: [], children: [] };
  const kept = old.properties.filter(({ name }) => !properties.some((property) => property.name === name));
  const changed = { ...old, properties: [...kept, ...properties] };
  const others = root.children.filter((node) => node.name !== child);
  return { ...tree, root: { ...root, children: [...others, changed] } };
}

class ByteSink {
  private buffer = new Uint8Array(1024);
  length = 0;

  word(value: number): void {
    this.bytes([(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
  }
  bytes(bytes: ArrayLike<number>): void {
    if (this.length + bytes.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes.length));
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }
  align(boundary: number): void {
    this.bytes(new Uint8Array((boundary - (this.length % boundary)) % boundary));
  }
  content(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

function alignUp(offset: number): number {
  return (offset + 3) & ~3;
}
function refuse(message: string): LoadError {
  return new LoadError('dtb', `device tree: ${message}`);
}

/** Names are bytes: one for each character, whatever they mean. */
function nameBytes(name: string): number[] {
  return Array.from(name, (character) => character.charCodeAt(0) & 0xff);
}
function utf8(text: string): number[] {
  return Array.from(text).flatMap((character) => {
    const code = character.codePointAt(0) ?? 0;
    const continuation = (shift: number): number => 0x80 | ((code >> shift) & 0x3f);
    if (code < 0x80) return [code];
    if (code < 0x800) return [0xc0 | (code >> 6), continuation(0)];
    if (code < 0x1_0000) return [0xe0 | (code >> 12), continuation(6), continuation(0)];
    return [0xf0 | (code >> 18), continuation(12), continuation(6), continuation(0)];
  });
}
