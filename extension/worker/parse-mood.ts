// Reads the attribute `mood` of a device: "strict", names joined by +, or an object of switches. [design: rule policy, moods]
// Guarantees: every wrong name gives a problem that says what is allowed, and why a refused one cannot be had.
import { isMoodSwitch, type MoodSwitch, moodTable, refusedMoods, strictMood } from '../../emulator/virtio/mood';
import { suggestion } from './parse-launch';

const strict = 'strict';
const names: readonly string[] = [strict, ...moodTable.map(({ name }) => name)];

/** @param problem is told what is wrong, without the attribute's name */
export function parseMood(value: unknown, problem: (text: string) => void): readonly MoodSwitch[] {
  if (value === undefined) return [];
  const wanted = new Map<MoodSwitch, boolean>();
  const set = (name: string, on: boolean): void => {
    if (name === strict) for (const each of strictMood) wanted.set(each, on);
    else if (isMoodSwitch(name)) wanted.set(name, on);
    else if (Object.hasOwn(refusedMoods, name)) problem(`"${name}" cannot be had: ${refusedMoods[name] ?? ''}`);
    else problem(`found "${name}"${suggestion(name, names)}, expected one of ${names.join(', ')}`);
  };
  if (typeof value === 'string') for (const name of value.split('+')) set(name.trim(), true);
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [name, on] of Object.entries(value as Readonly<Record<string, unknown>>)) {
      if (typeof on === 'boolean') set(name, on);
      else problem(`${name}: found ${typeof on}, expected true or false`);
    }
  } else problem('expected "strict", names joined by +, or an object such as { "slowReset": true }');
  return moodTable.map(({ name }) => name).filter((name) => wanted.get(name) === true);
}
