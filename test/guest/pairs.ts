// Drivers in pairs: the same C source breaks one rule with -DVIOLATION and keeps to the specification without it.
// The blamed line carries the marker `/* HERE */`.
import { bareMetal, type GuestProgram, lineOf } from './harness/compiler';

export interface DriverPair {
  /** File in programs/drivers, without its suffix. */
  readonly name: string;
  /** Id of the rule that the violating guest breaks first. */
  readonly rule: string;
  /** The function that the violation names. */
  readonly function: string;
}

export const blamedLineMarker = '/* HERE */';

export const driverPairs: readonly DriverPair[] = [
  { name: 'status-acknowledge-skipped', rule: '', function: 'introduce' },
  { name: 'status-bit-cleared', rule: '', function: 'introduce' },
  { name: 'reset-skipped', rule: '', function: 'introduce' },
  { name: 'feature-not-offered', rule: '', function: 'choose_features' },
  { name: 'feature-word-not-selected', rule: '', function: 'low_features' },
  { name: 'features-ok-not-read-back', rule: '', function: 'choose_queue' },
  { name: 'features-after-features-ok', rule: '', function: 'settle_features' },
  { name: 'queue-misaligned', rule: '', function: 'place_descriptors' },
  { name: 'queue-size-too-large', rule: '', function: 'choose_size' },
  { name: 'queue-changed-while-ready', rule: '', function: 'shrink' },
  { name: 'queue-disable-not-read-back', rule: '', function: 'restart_queue' },
  { name: 'notify-before-driver-ok', rule: '', function: 'go_live' },
  { name: 'descriptor-stored-while-owned', rule: '', function: 'read_sector' },
  { name: 'available-index-decremented', rule: '', function: 'change_of_mind' },
  { name: 'available-flags-with-event-index', rule: '', function: 'read_sector' },
  { name: 'indirect-not-negotiated', rule: '', function: 'read_sector' },
  { name: 'indirect-and-next', rule: '', function: 'read_sector' },
  { name: 'readable-after-writable', rule: '', function: 'read_sector' },
  { name: 'chain-loop', rule: '', function: 'read_sector' },
  { name: 'head-out-of-range', rule: '', function: 'read_sector' },
  { name: 'interrupt-acknowledge-undefined-bits', rule: '', function: 'acknowledge_interrupt' },
  { name: 'register-width', rule: '', function: 'is_live' },
  { name: 'config-width', rule: '', function: 'capacity' },
  { name: 'read-only-register-written', rule: '', function: 'drop_interrupts' },
  { name: 'write-only-register-read', rule: '', function: 'select_queue' },
  { name: 'undescribed-register', rule: '', function: 'set_page_size' },
];

export function pairSource(pair: DriverPair): string {
  return `test/guest/programs/drivers/${pair.name}.c`;
}
export function pairLine(pair: DriverPair): number {
  return lineOf(pairSource(pair), blamedLineMarker);
}
export function pairProgram(pair: DriverPair, violating: boolean): GuestProgram {
  return {
    name: pair.name,
    sources: [
      ...bareMetal,
      'media/sample/trap.c',
      'media/sample/plic.c',
      'test/guest/programs/driver.c',
      pairSource(pair),
    ],
    flags: violating ? ['-DVIOLATION'] : [],
  };
}
