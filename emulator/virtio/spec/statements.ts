// The specification's normative statements and the ancestors' checks, one object each, from their tables of numbers. [virtio 1.4]
import { ancestorBehaviourRows, ancestorCheckRows } from './ancestor-rows';
import { statementRows } from './statement-rows';

export interface Statement {
  /** Area or device, topic, side, number. */
  readonly id: string;
  readonly section: string;
  readonly area: string;
  readonly side: 'driver' | 'device';
  readonly level: 'must' | 'should' | 'may';
  /** `target`: a MUST that a whole machine can see a driver break; `advisory`: the same for a SHOULD. */
  readonly kind: 'target' | 'advisory' | 'other';
}

export interface AncestorCheck {
  readonly id: string;
  readonly transport: 'any' | 'mmio' | 'pci';
  readonly severity: 'error' | 'warning' | 'device-error';
  readonly section: string;
}

const levels = { M: 'must', S: 'should', P: 'may' } as const;
const kinds = { '!': 'target', '?': 'advisory', '': 'other' } as const;
const cell = /^(?<number>\d+)(?<level>[MSP])(?<kind>[!?]?)$/;

export const statements: readonly Statement[] = statementRows.flatMap(([prefix, section, area, side, list]) =>
  list.split(' ').map((text) => {
    const parts = cell.exec(text)?.groups;
    if (parts === undefined) throw new RangeError(`statement "${text}" of ${prefix} is not number, level and kind`);
    const { number = '', level = '', kind = '' } = parts;
    return {
      id: `${prefix}.${number}`,
      section,
      area,
      side,
      level: levels[keyOf(levels, level)],
      kind: kinds[keyOf(kinds, kind)],
    };
  }),
);

export const ancestorChecks: readonly AncestorCheck[] = ancestorCheckRows.map(([id, transport, severity, section]) => ({
  id,
  transport,
  severity,
  section,
}));

/** Ids of what the ancestors did, as distinct from what they checked. */
export const ancestorBehaviours: readonly string[] = ancestorBehaviourRows.map(([id]) => id);

function keyOf<T extends object>(table: T, text: string): keyof T & string {
  if (!isKey(table, text)) throw new RangeError(`"${text}" is none of ${Object.keys(table).join(', ')}`);
  return text;
}
function isKey<T extends object>(table: T, text: string): text is keyof T & string {
  return Object.hasOwn(table, text);
}
