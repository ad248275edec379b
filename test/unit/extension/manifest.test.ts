// The manifest cannot drift from the code: attributes, commands, views and files named in it exist.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { moodTable } from '../../../emulator/virtio/mood';
import { parseLaunchConfiguration } from '../../../extension/worker/parse-launch';

const root = path.resolve(__dirname, '../../..');
interface Manifest {
  contributes: {
    commands: { command: string; icon?: string | { light: string; dark: string } }[];
    debuggers: {
      type: string;
      configurationAttributes: { launch: { properties: Record<string, { default?: unknown }> } };
    }[];
    menus: Record<string, { command: string }[]>;
    keybindings: { command: string }[];
    views: Record<string, { id: string }[]>;
    walkthroughs: { steps: { media: { image: string }; description: string }[] }[];
  };
  icon: string;
}
const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
const sources = fs
  .readdirSync(path.join(root, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => fs.readFileSync(path.join(root, 'extension', file), 'utf8'))
  .join('\n');

test('every contributed command is registered, and every menu entry is contributed', () => {
  const commands = manifest.contributes.commands.map((one) => one.command);
  for (const command of commands) assert.ok(sources.includes(`'${command}'`), `${command} is not registered`);
  const used = [...Object.values(manifest.contributes.menus).flat(), ...manifest.contributes.keybindings].map(
    (one) => one.command,
  );
  for (const command of used) assert.ok(commands.includes(command), `${command} is used but not contributed`);
  const linked = manifest.contributes.walkthroughs
    .flatMap((one) => one.steps)
    .flatMap((step) => [...step.description.matchAll(/command:(ringside\.\w+)/g)].map((match) => match[1] ?? ''));
  for (const command of linked) assert.ok(commands.includes(command), `the walkthrough links ${command}`);
});

test('every launch attribute of the schema is accepted with its default, and none is missing', () => {
  const schema = manifest.contributes.debuggers[0]?.configurationAttributes.launch.properties ?? {};
  for (const [name, { default: value }] of Object.entries(schema)) {
    if (value === undefined) continue;
    parseLaunchConfiguration({ program: 'k', [name]: value }, { resolvePath: (file) => file, mayWriteFiles: true });
  }
  const accepted =
    /const attributes = \[([\s\S]*?)\] as const/
      .exec(sources)?.[1]
      ?.match(/'(\w+)'/g)
      ?.map((name) => name.slice(1, -1)) ?? [];
  assert.deepEqual(
    Object.keys(schema).sort(),
    accepted.filter((name) => !['type', 'request', 'name'].includes(name)).sort(),
  );
});

test('every mood is offered in launch.json, with what it does, for every device type', () => {
  const { devices } = manifest.contributes.debuggers[0]?.configurationAttributes.launch.properties ?? {};
  const kinds = (devices as { items: { oneOf: { properties: { mood: { oneOf: readonly object[] } } }[] } }).items.oneOf;
  for (const { properties } of kinds) {
    const [text, object] = properties.mood.oneOf as [
      { examples: string[] },
      { properties: Record<string, { description: string }> },
    ];
    assert.deepEqual(text.examples, ['strict', ...moodTable.map(({ name }) => name)]);
    assert.deepEqual(Object.keys(object.properties), text.examples);
    for (const { name, meaning } of moodTable) {
      assert.ok(object.properties[name]?.description.startsWith(meaning), name);
    }
  }
});

test('pictures and views named in the manifest exist', () => {
  const pictures = [
    manifest.icon,
    ...manifest.contributes.walkthroughs.flatMap((one) => one.steps.map((step) => step.media.image)),
    ...manifest.contributes.commands.flatMap(({ icon }) => (typeof icon === 'object' ? [icon.light, icon.dark] : [])),
  ];
  for (const picture of pictures) assert.ok(fs.existsSync(path.join(root, picture)), `${picture} is missing`);
  for (const { id } of Object.values(manifest.contributes.views).flat())
    assert.ok(sources.includes(`'${id}'`), `view ${id} is not created`);
});
