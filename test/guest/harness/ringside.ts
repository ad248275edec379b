// Runs a guest in Ringside as the product does, without VS Code: the session behind the debug adapter, in this thread.
import { parseLaunchConfiguration } from '../../../extension/worker/parse-launch';
import { Session } from '../../../extension/worker/session';
import type { TargetEvent, ViolationReport } from '../../../extension/debug/target';
import { repository } from './compiler';
import type { GuestResult } from './qemu';
import * as path from 'node:path';

/** Only ends a hung guest; no result depends on it. */
const hangMilliseconds = 120_000;

export interface RingsideRun {
  readonly elf: string;
  /** Block image; what the guest writes is forgotten. */
  readonly disk?: string;
  /** Firmware file, or `builtin`; none by default. */
  readonly bios?: string;
  readonly harts?: number;
  /** Bytes for the guest's serial port. */
  readonly input?: string;
  /** Further attributes of the launch configuration. */
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** End the run at the first stop instead of continuing. */
  readonly onlyFirstStop?: boolean;
}
export interface RingsideResult extends GuestResult {
  /** Violations that stopped the guest, in order. */
  readonly stops: readonly ViolationReport[];
  /** All violations of the run, reported ones included, as they stood at its end. */
  readonly violations: readonly ViolationReport[];
  /** `stateHash` of the machine at the end. */
  readonly stateHash: string;
  readonly steps: number;
}

/** Runs a guest until it ends, continuing after each stop for a violation. Throws when it stops for anything else. */
export async function runOnRingside(run: RingsideRun): Promise<RingsideResult> {
  const configuration = parseLaunchConfiguration(
    {
      type: 'virtio',
      request: 'launch',
      name: path.basename(run.elf),
      program: run.elf,
      bios: run.bios ?? 'none',
      harts: run.harts ?? 1,
      clock: 'warp',
      devices:
        run.disk === undefined ? [] : [{ type: 'block', name: 'vda', image: run.disk, mode: 'overlay', serial: 'vda' }],
      ...run.attributes,
    },
    { resolvePath: (file) => path.resolve(repository, file), mayWriteFiles: false },
  );
  const session = new Session();
  const console: Uint8Array[] = [];
  const stops: ViolationReport[] = [];
  const text = (): string => Buffer.concat(console).toString('latin1');
  const status = await new Promise<number>((resolve, reject) => {
    const hung = setTimeout(() => {
      reject(new Error(`${run.elf} did not end; ${session.machine?.steps ?? 0} steps, console so far: ${text()}`));
      void session.terminate();
    }, hangMilliseconds);
    const end = (action: () => void): void => {
      clearTimeout(hung);
      action();
    };
    session.onEvent((event: TargetEvent) => {
      switch (event.kind) {
        case 'console':
          if (event.channel === 'uart0') console.push(event.bytes);
          break;
        case 'finished':
          end(() => resolve(event.code));
          break;
        case 'crashed':
          end(() => reject(new Error(`${run.elf}: the emulator failed: ${event.text}`)));
          break;
        case 'stopped':
          if (event.reason.kind !== 'violation') {
            end(() =>
              reject(new Error(`${run.elf}: stopped for ${JSON.stringify(event.reason)}; console so far: ${text()}`)),
            );
            break;
          }
          stops.push(event.reason.violation);
          if (run.onlyFirstStop === true) end(() => resolve(0));
          // The session reports the stop from within its run; it can be resumed once that is over.
          else setImmediate(() => void session.resume().catch((error: unknown) => end(() => reject(asError(error)))));
          break;
        default:
      }
    });
    void (async () => {
      await session.launch(configuration);
      if (run.input !== undefined) await session.consoleInput('uart0', Buffer.from(run.input, 'latin1'));
      await session.resume();
    })().catch((error: unknown) => end(() => reject(asError(error))));
  });
  const result = {
    console: text(),
    status,
    stops,
    violations: session.allViolations(),
    stateHash: session.machine?.stateHash() ?? '',
    steps: session.machine?.steps ?? 0,
  };
  await session.terminate();
  return result;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
