// The list of what could not be read, each sentence once, never without bound.

const most = 100;

export class Problems {
  readonly list: string[] = [];
  readonly #known = new Set<string>();

  add(sentence: string): void {
    if (this.#known.has(sentence) || this.list.length > most) return;
    this.#known.add(sentence);
    this.list.push(this.list.length === most ? 'more problems were found; they are not listed' : sentence);
  }
}
