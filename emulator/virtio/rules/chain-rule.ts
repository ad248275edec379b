// Rules about what the walk of each published chain found, in either ring format. [virtio 1.4, 2.7.5, 2.8.5]
import type { Chain, ChainDefect, ChainElement } from '../../record/events';
import { chainDefectText } from '../driver-error';
import type { RingFormat } from '../queue/ring';
import { descriptorFlag } from '../spec/split-ring';
import { type DescriptorField, descriptorFinding, elementFinding, type Publish, queueOf } from './chain-evidence';
import { seen } from './evidence';
import { type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type DefectTexts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers' | 'section'> &
  Partial<Pick<RuleTexts, 'ancestors'>>;
type DefectKind = ChainDefect['kind'];

/** The field of the descriptor table that a defect is about. */
const fieldOf: Readonly<Record<DefectKind, DescriptorField>> = {
  'head-out-of-range': 'addr',
  'next-out-of-range': 'next',
  loop: 'next',
  'too-long': 'flags',
  'too-many-bytes': 'len',
  'readable-after-writable': 'flags',
  'indirect-not-negotiated': 'flags',
  'indirect-nested': 'flags',
  'indirect-and-next': 'flags',
  'indirect-length': 'len',
  'indirect-outside-memory': 'addr',
  'buffer-outside-memory': 'addr',
  'zero-length': 'len',
  'not-available': 'flags',
  'indirect-entry-flags': 'flags',
};

/** A rule about what the walk of each published chain found. */
export function chainRule(ring: RingFormat, kinds: readonly DefectKind[], texts: DefectTexts): Rule {
  return rule('ring', {
    ...texts,
    blames: 'descriptor store',
    needs: { ring },
    on: ['publish'],
    broken: (fact, at) =>
      fact.chains.some(({ defects }) => defects.length > 0) &&
      fact.chains.flatMap((chain) =>
        judged(chain)
          .filter((defect) => kinds.includes(defect.kind))
          .map((defect) => defectFinding(fact, at, chain, defect)),
      ),
  });
}

/** What stands behind a descriptor that is not available was never meant; only that the list does not end still counts. */
function judged({ defects }: Chain): readonly ChainDefect[] {
  const end = defects.findIndex(({ kind }) => kind === 'not-available');
  return end < 0 ? defects : [...defects.slice(0, end), ...defects.slice(end).filter(({ kind }) => kind === 'loop')];
}

/** A finding about one defect, blamed on the store of the field that it is about. */
export function defectFinding(fact: Publish, at: RuleContext, chain: Chain, defect: ChainDefect): Finding {
  const name = chain.packed === undefined ? 'chain' : 'buffer id';
  const message = `Queue ${fact.queue}, ${name} ${chain.head}: ${chainDefectText(defect)}.`;
  if (defect.kind === 'head-out-of-range') {
    return {
      message,
      evidence: [seen('slot', chain.slot), seen('head', defect.head), seen('queue size', defect.queueSize)],
      place: { kind: 'available', queue: fact.queue, field: 'ring', slot: chain.slot },
      blamed: queueOf(fact, at)?.slotStores.get(chain.slot),
    };
  }
  const isPacked = chain.packed !== undefined;
  // A packed descriptor has no next; its NEXT flag leads on.
  const field = isPacked && fieldOf[defect.kind] === 'next' ? 'flags' : fieldOf[defect.kind];
  const element = elementOf(chain, defect);
  return element === undefined
    ? descriptorFinding(
        fact,
        at,
        chain,
        'index' in defect ? defect.index : isPacked ? chain.slot : chain.head,
        field,
        message,
      )
    : elementFinding(fact, at, chain, element, field, message);
}

/** The element that a defect is about; undefined for descriptors that only name a table. */
function elementOf(chain: Chain, defect: ChainDefect): ChainElement | undefined {
  if (defect.kind === 'loop') return chain.elements.at(-1);
  if (!('index' in defect)) return chain.elements.at(-1);
  // These are about the descriptor that names a table; an entry of that table may have the same index.
  if (aboutTable.has(defect.kind)) return undefined;
  return [...chain.elements].reverse().find((element) => element.index === defect.index && !namesTable(element));
}
const aboutTable: ReadonlySet<DefectKind> = new Set([
  'indirect-not-negotiated',
  'indirect-and-next',
  'indirect-length',
  'indirect-outside-memory',
]);
const namesTable = ({ flags, indirect }: ChainElement): boolean => !indirect && (flags & descriptorFlag.INDIRECT) !== 0;
