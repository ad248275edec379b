// Line and column numbers: the client says in `initialize` whether it counts from 0 or 1; here they count from 1.
import { readFields } from './protocol-values';

export class ClientLines {
  private firstLine = 1;
  private firstColumn = 1;

  /** @param values the arguments of `initialize` */
  adopt(values: unknown): void {
    const fields = readFields(values);
    this.firstLine = fields.flag('linesStartAt1') === false ? 0 : 1;
    this.firstColumn = fields.flag('columnsStartAt1') === false ? 0 : 1;
  }
  toClient(line: number): number {
    return line - 1 + this.firstLine;
  }
  columnToClient(column: number): number {
    return column - 1 + this.firstColumn;
  }
  fromClient(line: number): number {
    return line + 1 - this.firstLine;
  }
}
