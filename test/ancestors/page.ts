// docs/ancestors.md: what older machines did, and the tests that show it here.
import type { Behaviour } from './behaviour';
import { lguestAndAkaros } from './behaviours-akaros';
import { crosvm } from './behaviours-crosvm';
import { pciLayout } from './behaviours-pci';
import { virtio30 } from './behaviours-virtio30';

const chapters: readonly (readonly [title: string, rows: readonly Behaviour[]])[] = [
  ['lguest and Akaros', lguestAndAkaros],
  ['The first mmio transport of crosvm', crosvm],
  ['The review of the PCI layout', pciLayout],
  ['The VIRTIO-30 draft', virtio30],
];

export const behaviours: readonly Behaviour[] = chapters.flatMap(([, rows]) => rows);

export function ancestorsMarkdown(): string {
  const shown = behaviours.filter((row) => 'tests' in row).length;
  return [
    '# Ancestors',
    '',
    '<!-- Generated from test/ancestors: change the rows there and generate it again. -->',
    '',
    'What lguest, Akaros, crosvm, the review of the PCI layout and the VIRTIO-30 draft did, apart from their checks, which are in',
    `[rules.md](rules.md). Of ${behaviours.length} behaviours ${shown} are shown by tests and ${behaviours.length - shown} have a reason not to be. “Here” says where Ringside`,
    'differs on purpose. A test is named by its file and a part of its title or of the row that it comes from; a rule’s id stands for the',
    'violating and the conforming driver of that rule.',
    ...chapters.flatMap(([title, rows]) => [
      '',
      `## ${title}`,
      '',
      '| behaviour | what it was | shown by, or why not |',
      '| --- | --- | --- |',
      ...rows.map(line),
    ]),
    '',
  ].join('\n');
}

function line(row: Behaviour): string {
  const what = row.here === undefined ? row.does : `${row.does} Here: ${row.here}.`;
  const proof = 'tests' in row ? row.tests.map(({ file, name }) => `${file}: \`${name}\``).join('<br>') : row.why;
  return `| \`${row.id}\` | ${what} | ${proof.replaceAll('|', '\\|')} |`;
}
