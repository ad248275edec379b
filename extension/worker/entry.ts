// The worker thread: one session, served over messages.
import { parentPort, workerData } from 'node:worker_threads';
import type { TargetEvent } from '../debug/target';
import { allowEngineFeatures } from './engine-features';
import { InspectedSession } from './inspected-session';
import { type Answer, type Call, isCall, type Method, type WorkerData } from './protocol';
import { ConfigurationError } from './parse-launch';

const port = parentPort;
if (port === null)
  throw new Error('This file is the emulator thread of Ringside; it is started by the extension, not by hand.');
allowEngineFeatures();
const { stopWord } = workerData as WorkerData;
const session = new InspectedSession(stopWord === undefined ? {} : { stopWord });
const answer = (message: Answer): void => port.postMessage(message);

session.onEvent((event: TargetEvent) => answer({ kind: 'event', event }));
port.on('message', (message: unknown) => {
  if (isCall(message)) void serve(message);
});

async function serve(call: Call): Promise<void> {
  try {
    const served = session as unknown as Readonly<Record<Method, (...values: readonly unknown[]) => Promise<unknown>>>;
    answer({ kind: 'result', id: call.id, value: await served[call.method](...call.values) });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    answer({
      kind: 'error',
      id: call.id,
      message: text,
      ...(error instanceof ConfigurationError && { problems: error.problems }),
    });
  }
}
