// The event stream as JSON lines (its schema is media/events.schema.json): numbers beyond 2^53 and addresses are `0x` text.
import type { VirtioEvent } from '../../emulator/record/events';

/** Fields of type number that hold addresses. */
export const addressNames: ReadonlySet<string> = new Set(['pc', 'address', 'physicalAddress', 'at', 'table']);

export function eventLine(event: VirtioEvent): string {
  return `${JSON.stringify(event, (key, value: unknown) => {
    if (typeof value === 'bigint' || (typeof value === 'number' && addressNames.has(key)))
      return `0x${value.toString(16)}`;
    return value;
  })}\n`;
}
