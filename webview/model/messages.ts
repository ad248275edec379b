// The messages between extension and inspector page, and the checks that both borders make. A page is not trusted: whatever it
// sends is either one of these intents with values in range, or nothing.
import type { InspectorModel } from './inspector';

export type Screen = 'overview' | 'features' | 'queues' | 'timeline' | 'violations';
export const screens: readonly Screen[] = ['overview', 'features', 'queues', 'timeline', 'violations'];

/** Extension to page. */
export type PageMessage =
  | { readonly type: 'snapshot'; readonly model: InspectorModel }
  | {
      readonly type: 'show';
      readonly screen: Screen;
      /** Whoever reads about violations is not taken away from them. */
      readonly yieldsToReader?: boolean;
    };

/** Page to extension: what the user wants. */
export type Intent =
  /** The page is loaded and wants a snapshot. */
  | { readonly type: 'ready' }
  /** The snapshot with this number is on the screen; the next may come. */
  | { readonly type: 'rendered'; readonly sequence: number }
  | { readonly type: 'selectDevice'; readonly device: string }
  | { readonly type: 'selectQueue'; readonly device: string; readonly queue: number }
  /** The page shows these rows of a large descriptor table. */
  | { readonly type: 'showRows'; readonly first: number; readonly count: number }
  | { readonly type: 'goToSource'; readonly file: string; readonly line: number }
  /** To the disassembly at a virtual address. */
  | { readonly type: 'goToAddress'; readonly pc: string }
  /** Guest-physical address. */
  | { readonly type: 'showMemory'; readonly address: string; readonly lengthBytes: number }
  | { readonly type: 'breakWhenChanges'; readonly address: string; readonly lengthBytes: number }
  | { readonly type: 'nextRingEvent' }
  | { readonly type: 'previousRingEvent' }
  /** To right behind an event, by its index in the stream. */
  | { readonly type: 'goToEvent'; readonly event: number }
  | { readonly type: 'goToLiveEnd' }
  | { readonly type: 'continue' }
  | { readonly type: 'pause' }
  /** Stop reporting this violation's rule at this place, and again. */
  | { readonly type: 'mute'; readonly violation: number }
  | { readonly type: 'unmute'; readonly violation: number }
  | { readonly type: 'openRule'; readonly rule: string }
  | { readonly type: 'openSpec'; readonly section: string }
  /** Stay in the page: show another screen, or a violation. */
  | { readonly type: 'showScreen'; readonly screen: Screen }
  | { readonly type: 'copy'; readonly text: string }
  | { readonly type: 'openSample' }
  | { readonly type: 'startDebugging' }
  | { readonly type: 'openWalkthrough' };

export type IntentType = Intent['type'];

const longestText = 4096;
const longestCopy = 65_536;
const largestQueue = 32_768;

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText = (longest: number): Check => {
  return (value) => typeof value === 'string' && value.length > 0 && value.length <= longest;
};
const isWhole = (from: number, to: number): Check => {
  return (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= from && value <= to;
};
const isAddress: Check = (value) => typeof value === 'string' && /^0x[0-9a-f]{1,16}$/.test(value);
const isOneOf = (allowed: readonly string[]): Check => {
  return (value) => typeof value === 'string' && allowed.includes(value);
};

const name = isText(longestText);
const anyWhole = isWhole(0, Number.MAX_SAFE_INTEGER);
const queueNumber = isWhole(0, 65_535);

/** Every intent and what its fields must be. Nothing else passes. */
const intents: Readonly<Record<IntentType, Readonly<Record<string, Check>>>> = {
  ready: {},
  rendered: { sequence: anyWhole },
  selectDevice: { device: name },
  selectQueue: { device: name, queue: queueNumber },
  showRows: { first: isWhole(0, largestQueue - 1), count: isWhole(1, largestQueue) },
  goToSource: { file: name, line: isWhole(1, 0x7fff_ffff) },
  goToAddress: { pc: isAddress },
  showMemory: { address: isAddress, lengthBytes: isWhole(0, 0xffff_ffff) },
  breakWhenChanges: { address: isAddress, lengthBytes: isWhole(1, 4096) },
  nextRingEvent: {},
  previousRingEvent: {},
  goToEvent: { event: anyWhole },
  goToLiveEnd: {},
  continue: {},
  pause: {},
  mute: { violation: anyWhole },
  unmute: { violation: anyWhole },
  openRule: { rule: (value) => typeof value === 'string' && /^[a-z0-9][a-z0-9.-]{0,127}$/.test(value) },
  openSpec: { section: (value) => typeof value === 'string' && /^[0-9A-Z]{1,3}(\.[0-9]{1,3}){0,7}$/.test(value) },
  showScreen: { screen: isOneOf(screens) },
  copy: { text: isText(longestCopy) },
  openSample: {},
  startDebugging: {},
  openWalkthrough: {},
};

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIntent(value: unknown): value is Intent {
  if (!isFields(value) || typeof value['type'] !== 'string' || !Object.hasOwn(intents, value['type'])) return false;
  const checks = Object.entries(intents[value['type'] as IntentType]);
  return Object.keys(value).length === checks.length + 1 && checks.every(([field, check]) => check(value[field]));
}

/** What a page sent, or null when it is not exactly one of the intents with every field in range. */
export function parseIntent(value: unknown): Intent | null {
  return isIntent(value) ? value : null;
}

function isPageMessage(value: unknown): value is PageMessage {
  if (!isFields(value)) return false;
  if (value['type'] === 'show') return isOneOf(screens)(value['screen']);
  if (value['type'] !== 'snapshot') return false;
  const model = value['model'];
  if (!isFields(model) || !anyWhole(model['sequence']) || typeof model['session'] !== 'string') return false;
  return ['devices', 'violations', 'events'].every((list) => Array.isArray(model[list]));
}

/** What the extension sent, or null when it is for another page or of another version. */
export function parsePageMessage(value: unknown): PageMessage | null {
  return isPageMessage(value) ? value : null;
}
