// The command line that repeats one run of a campaign: the words of the campaign with the run's own seed and moods. [design: command line]
import type { CampaignRun } from './campaign';

/** What a single run does not need: the campaign itself, and where its reports went. */
const dropped: readonly string[] = ['--campaign', '--seed', '--report', '--trace', '--stats'];

/** @param words what followed `ringside run` */
export function reproduceCommand(
  words: readonly string[],
  { seed, moods }: Pick<CampaignRun, 'seed' | 'moods'>,
): string {
  const byDevice = Object.values(moods);
  const kept: string[] = [];
  let device = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [name = '', ...rest] = word.split('=');
    const isJoined = rest.length > 0;
    if (dropped.includes(name)) i += isJoined ? 0 : 1;
    else if (name === '--device') {
      const value = isJoined ? rest.join('=') : (words[++i] ?? '');
      kept.push(name, withMood(value, byDevice[device++] ?? []));
    } else kept.push(word);
  }
  return ['ringside', 'run', '--seed', String(seed), ...kept].map(quoted).join(' ');
}

function withMood(device: string, mood: readonly string[]): string {
  const parts = device.split(',').filter((part) => !part.startsWith('mood='));
  return [...parts, ...(mood.length === 0 ? [] : [`mood=${mood.join('+')}`])].join(',');
}

/** As a POSIX shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
