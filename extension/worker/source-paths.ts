// From the paths of debug information, which name the machine that built the guest, to files that are here.
import * as fs from 'node:fs';
import * as path from 'node:path';

export class SourcePaths {
  private readonly known = new Map<string, string>();

  /** @param folders where to look, most likely first: the launch attribute `sourceFolder`, folders of the symbol files */
  constructor(private readonly folders: readonly string[]) {}

  /** The file itself when it exists, else the longest tail of its path that exists below one of the folders, else the path as it is. */
  find(file: string): string {
    let found = this.known.get(file);
    if (found === undefined) {
      found = this.search(file);
      this.known.set(file, found);
    }
    return found;
  }

  private search(file: string): string {
    if (path.isAbsolute(file) && fs.existsSync(file)) return file;
    const parts = file.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');
    for (let from = 0; from < parts.length; from++) {
      const tail = parts.slice(from);
      if (tail.includes('..')) continue;
      for (const folder of this.folders) {
        const candidate = path.join(folder, ...tail);
        if (fs.existsSync(candidate)) return candidate;
      }
    }
    return file;
  }
}
