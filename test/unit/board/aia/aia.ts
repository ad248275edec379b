// A bench with the advanced interrupt architecture: its domains and files behind named accesses.
import assert from 'node:assert/strict';
import { AdvancedInterrupts } from '../../../../emulator/board/aia/controller';
import type { InterruptFiles } from '../../../../emulator/cpu/contract';
import { type Bench, bench, port } from '../bench';

export interface AiaBench {
  readonly b: Bench;
  readonly controller: AdvancedInterrupts;
  readonly machine: ReturnType<typeof port>;
  readonly supervisor: ReturnType<typeof port>;
  /** Claims and completions, in order. */
  readonly heard: string[];
}

export function aiaBench(kind: 'aplic' | 'aplic-imsic', harts = 1): AiaBench {
  const b = bench(harts);
  const controller = new AdvancedInterrupts(b.context, kind);
  const heard: string[] = [];
  controller.observe({
    claimed: (context, source) => void heard.push(`claim ${source} by ${context}`),
    completed: (context, source) => void heard.push(`complete ${source} by ${context}`),
  });
  const [machine, supervisor] = controller.regions.map(port);
  assert.ok(machine && supervisor);
  return { b, controller, machine, supervisor, heard };
}

export function filesOf({ controller }: AiaBench): InterruptFiles {
  assert.ok(controller.files);
  return controller.files;
}

/** Offsets of a domain's registers. */
export const at = {
  ...{ domaincfg: 0, setip: 0x1c00, setipnum: 0x1cdc, input: 0x1d00, clripnum: 0x1ddc },
  ...{ setie: 0x1e00, setienum: 0x1edc, setipnumLe: 0x2000, genmsi: 0x3000 },
  ...{ idelivery: 0x4000, ithreshold: 0x4008, topi: 0x4018, claimi: 0x401c },
  source: (number: number) => 4 * number,
  target: (number: number) => 0x3000 + 4 * number,
} as const;
export const select = { eidelivery: 0x70, eithreshold: 0x72, eip: 0x80, eie: 0xc0 } as const;
export const sourceMode = {
  delegate: 0x400,
  detached: 1,
  edgeRising: 4,
  edgeFalling: 5,
  levelHigh: 6,
  levelLow: 7,
} as const;
