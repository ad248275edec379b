// The order in which a region writes its blocks: forward branches lead to later blocks, and the blocks of a loop stand together.
// Loops are the strongly connected parts of the graph, and again those that are left of each without its head.

/**
 * @param successors of each block, by position
 * @returns all positions, in the order to write them
 */
export function orderBlocks(successors: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const all = successors.map((_, position) => position);
  arrange(all, successors, order);
  return order;
}

function arrange(positions: readonly number[], successors: readonly (readonly number[])[], order: number[]): void {
  const inside = new Set(positions);
  const connected = new Components(inside, successors);
  for (const part of connected.find(positions)) {
    const [only = 0] = part;
    if (part.length === 1) {
      order.push(only);
      continue;
    }
    const head = headOf(part, inside, successors);
    order.push(head);
    arrange(
      part.filter((position) => position !== head),
      successors,
      order,
    );
  }
}

/** Where control enters a loop from outside most often; the first by address where all are alike. */
function headOf(
  part: readonly number[],
  inside: ReadonlySet<number>,
  successors: readonly (readonly number[])[],
): number {
  const own = new Set(part);
  const entered = new Map<number, number>();
  for (const from of inside) {
    if (own.has(from)) continue;
    for (const to of successors[from] ?? []) if (own.has(to)) entered.set(to, (entered.get(to) ?? 0) + 1);
  }
  const [first = 0, ...others] = [...part].sort((one, other) => one - other);
  return others.reduce((best, next) => ((entered.get(next) ?? 0) > (entered.get(best) ?? 0) ? next : best), first);
}

/** Strongly connected components by Tarjan's algorithm. */
class Components {
  private readonly number = new Map<number, number>();
  private readonly lowest = new Map<number, number>();
  private readonly open: number[] = [];
  private readonly isOpen = new Set<number>();
  private readonly found: number[][] = [];

  constructor(
    private readonly inside: ReadonlySet<number>,
    private readonly successors: readonly (readonly number[])[],
  ) {}

  /** Each component comes before those that it leads to; otherwise in order of addresses as far as possible. */
  find(positions: readonly number[]): readonly (readonly number[])[] {
    for (const position of [...positions].sort((one, other) => other - one)) {
      if (!this.number.has(position)) this.visit(position);
    }
    return this.found.reverse();
  }

  private visit(position: number): void {
    const own = this.number.size;
    this.number.set(position, own);
    let low = own;
    this.open.push(position);
    this.isOpen.add(position);
    for (const next of [...(this.successors[position] ?? [])].sort((one, other) => other - one)) {
      if (!this.inside.has(next)) continue;
      if (!this.number.has(next)) {
        this.visit(next);
        low = Math.min(low, this.lowest.get(next) ?? low);
      } else if (this.isOpen.has(next)) low = Math.min(low, this.number.get(next) ?? low);
    }
    this.lowest.set(position, low);
    if (low !== own) return;
    const part: number[] = [];
    for (;;) {
      const member = this.open.pop();
      if (member === undefined) throw new Error('a component without its first block');
      this.isOpen.delete(member);
      part.push(member);
      if (member === position) break;
    }
    this.found.push(part);
  }
}
