// Source paths: joined and normalised as the compiler recorded them, interned, and matched against what a user has on disk.

export function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:\//.test(path);
}

/** Forward slashes, no `.`, `..` or doubled separators where they can be resolved. */
export function normalise(path: string): string {
  const slashed = path.includes('\\') ? path.replaceAll('\\', '/') : path;
  if (!/(^|\/)\.{0,2}(\/|$)/.test(slashed.startsWith('/') ? slashed.slice(1) : slashed)) return slashed;
  const rooted = slashed.startsWith('/');
  const parts: string[] = [];
  for (const part of slashed.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts[parts.length - 1];
    if (part === '..' && last !== undefined && last !== '..') parts.pop();
    else if (part !== '..' || !rooted) parts.push(part);
  }
  return (rooted ? '/' : '') + parts.join('/');
}

export function join(directory: string, path: string): string {
  const slashed = path.replaceAll('\\', '/');
  return isAbsolute(slashed) || directory === '' ? normalise(slashed) : normalise(`${directory}/${slashed}`);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Number of trailing components that two normalised paths share. */
export function commonSuffix(a: string, b: string): number {
  const left = a.split('/').filter((part) => part !== '');
  const right = b.split('/').filter((part) => part !== '');
  let count = 0;
  while (count < left.length && count < right.length) {
    if (left[left.length - 1 - count] !== right[right.length - 1 - count]) break;
    count++;
  }
  return count;
}

/**
 * The recorded paths that `wanted` may mean. An equal path is the only answer; otherwise the one that shares most trailing
 * components wins, since a guest built elsewhere differs at the front only. Several that share equally many are all returned.
 */
export function matchPaths(wanted: string, recorded: readonly string[]): string[] {
  const path = normalise(wanted);
  if (recorded.includes(path)) return [path];
  const name = baseName(path);
  let best = 0;
  let found: string[] = [];
  for (const candidate of recorded) {
    if (!candidate.endsWith(name) || baseName(candidate) !== name) continue;
    const shared = commonSuffix(candidate, path);
    if (shared > best) {
      best = shared;
      found = [];
    }
    if (shared === best) found.push(candidate);
  }
  return found;
}

/** Gives every path a number, once. */
export class PathTable {
  readonly paths: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(path: string): number {
    let number = this.#numbers.get(path);
    if (number === undefined) {
      number = this.paths.length;
      this.paths.push(path);
      this.#numbers.set(path, number);
    }
    return number;
  }
}
