// What trees and pages show of a rule: its texts, without the code that judges.
import { catalogue, families, familyNames } from '../../emulator/virtio/rules';

export interface RuleSummary {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly fix: string;
  readonly level: 'must' | 'should' | 'hazard';
  readonly family: string;
  readonly blames: string;
  readonly section: string;
  readonly link: string;
  readonly covers: readonly string[];
}

export const ruleSummaries: readonly RuleSummary[] = catalogue.map(
  ({ id, title, why, fix, level, family, blames, section, link, covers }) => ({
    id,
    title,
    why,
    fix,
    level,
    family,
    blames,
    section,
    link,
    covers,
  }),
);

export const familySummaries = familyNames.map((id) => ({
  id,
  title: families[id].title,
  description: families[id].meaning,
}));
