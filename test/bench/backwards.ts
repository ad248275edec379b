// What a history costs while a guest runs, and how long the ways back take from far into a run, through the session that the debugger uses:
// tsx test/bench/backwards.ts [--steps 1000000000]. Processor time, as a busy machine distorts the other. No test depends on it.
import { parseArgs } from 'node:util';
import { allowEngineFeatures } from '../../extension/worker/engine-features';
import { parseLaunchConfiguration } from '../../extension/worker/parse-launch';
import { Session } from '../../extension/worker/session';
import { buildGuest } from '../guest/harness/compiler';
import { benchGuests, benchProgram } from './guests';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '1000000000' } } });
const steps = Number(values.steps);
const repeats = 9;
const guest = benchGuests.find(({ name }) => name === 'virtual-memory') ?? fail('there is no such guest');

function fail(text: string): never {
  throw new Error(text);
}

async function sessionAt(history: string): Promise<{ session: Session; seconds: number }> {
  const program = buildGuest(benchProgram(guest, 100));
  const session = new Session();
  await session.launch(
    parseLaunchConfiguration(
      { program, history, clock: 'warp' },
      { resolvePath: (file) => file, mayWriteFiles: false },
    ),
  );
  const before = process.cpuUsage();
  await session.resume();
  while ((session.machine?.steps ?? 0) < steps) await new Promise((resolve) => setTimeout(resolve, 20));
  await session.pause();
  const { user, system } = process.cpuUsage(before);
  return { session, seconds: ((user + system) / 1e6 / (session.machine?.steps ?? 1)) * steps };
}

/** The median processor time of a motion, in milliseconds. */
async function timed(session: Session, motion: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const stopped = new Promise<void>((resolve) =>
      session.onEvent((event) => {
        if (event.kind === 'stopped') resolve();
      }),
    );
    const before = process.cpuUsage();
    await motion();
    await stopped;
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1e3);
  }
  return times.sort((a, b) => a - b)[repeats >> 1] ?? 0;
}

void (async () => {
  allowEngineFeatures();
  const without = await sessionAt('off');
  await without.session.terminate();
  const { session, seconds } = await sessionAt('256M');
  const ratio = (seconds / without.seconds).toFixed(2);
  console.log(
    `${steps} steps: ${without.seconds.toFixed(2)} s without, ${seconds.toFixed(2)} s with a history (${ratio})`,
  );
  const instruction = await timed(session, () => session.stepBack(0, 'instruction'));
  const line = await timed(session, () => session.stepBack(0, 'line'));
  console.log(`step back: ${instruction.toFixed(0)} ms by instruction, ${line.toFixed(0)} ms by line`);
  await session.terminate();
})();
