// The rules that are judged on a device, found by what happened: the kind of the fact, and for accesses to a ring the field.
// Guarantees: rules stand in catalogue order; a rule that is left out would have found nothing.
import type { EventKind, RingPlace, VirtioFact } from '../../record/events';
import type { Rule } from '../rules';
import type { PlaceName } from '../rules/rule';

/** Those that can be asked before an access takes effect, and the others. */
export interface FactRules {
  readonly access: readonly Rule[];
  readonly other: readonly Rule[];
}

const none: FactRules = { access: [], other: [] };

export class RuleTable {
  private readonly kinds = new Map<EventKind, FactRules>();
  /** Rules about loads and stores of ring fields, filled when such a field is first met. */
  private readonly loads = new PlaceTable();
  private readonly stores = new PlaceTable();

  constructor(private readonly rules: readonly Rule[]) {
    const kinds = new Set(rules.flatMap((rule) => rule.on));
    for (const kind of kinds) this.kinds.set(kind, split(rules.filter((rule) => rule.on.includes(kind))));
  }

  /** No rule is judged at all. */
  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  of(fact: VirtioFact): FactRules {
    if (fact.kind !== 'ring-load' && fact.kind !== 'ring-store') return this.kinds.get(fact.kind) ?? none;
    const { kind, place } = fact;
    const places = kind === 'ring-load' ? this.loads : this.stores;
    return places.get(place) ?? places.set(place, this.atPlace(kind, place));
  }

  private atPlace(kind: 'ring-load' | 'ring-store', { part, field }: RingPlace): FactRules {
    const names: readonly PlaceName[] = [part, `${part}.${field}`];
    const isMeant = ({ places }: Rule): boolean => places.length === 0 || places.some((name) => names.includes(name));
    return split(this.rules.filter((rule) => rule.on.includes(kind) && isMeant(rule)));
  }
}

class PlaceTable {
  private readonly parts = new Map<string, Map<string, FactRules>>();

  get({ part, field }: RingPlace): FactRules | undefined {
    return this.parts.get(part)?.get(field);
  }
  set({ part, field }: RingPlace, rules: FactRules): FactRules {
    const fields = this.parts.get(part) ?? new Map<string, FactRules>();
    this.parts.set(part, fields);
    fields.set(field, rules);
    return rules;
  }
}

function split(rules: readonly Rule[]): FactRules {
  return {
    access: rules.filter((rule) => rule.blames === 'access'),
    other: rules.filter((rule) => rule.blames !== 'access'),
  };
}
