// docs/moods.md: the switches of a device's mood, from their table.
import { moodTable, refusedMoods } from '../../emulator/virtio/mood';
import { sectionLink } from '../../emulator/virtio/rules/links';

export function moodsMarkdown(): string {
  return [
    '# Moods',
    '',
    '<!-- Generated from emulator/virtio/mood.ts. -->',
    '',
    'Two thirds of the mistakes that drivers make need more than a friendly device to show. A mood makes a device behave in an unusual but legal',
    'way. Switches are off by default; with one seed they make the same choices in every run.',
    '',
    '```json',
    '{ "type": "block", "image": "disk.img", "mood": "strict" }',
    '{ "type": "block", "image": "disk.img", "mood": { "strict": true, "slowReset": false, "eagerFetch": true } }',
    '```',
    '',
    'On the command line: `--device block,image=disk.img,mood=strict+eagerFetch`, and `"seed"` or `--seed` for other choices.',
    '',
    '| switch | what the device does | section | in `strict` |',
    '| --- | --- | --- | --- |',
    ...moodTable.map(
      ({ name, meaning, section, strict }) =>
        `| \`${name}\` | ${meaning} | [${section}](${sectionLink(section)}) | ${strict ? 'yes' : ''} |`,
    ),
    '',
    '`"hostile": true` is no mood: such a device breaks the specification. It names wrong heads and lengths in its used entries. What it does is',
    'reported in the family of device models and never blamed on the driver.',
    '',
    'What cannot be had:',
    '',
    ...Object.entries(refusedMoods).map(([name, why]) => `- \`${name}\`: ${why}.`),
    '',
  ].join('\n');
}
