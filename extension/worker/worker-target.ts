// A session in a worker thread, as its owner sees it. A worker that dies ends the session with a `crashed` event and takes nothing with it.
import { Worker } from 'node:worker_threads';
import type { DebugTarget, TargetEvent } from '../debug/target';
import type { InspectionSource } from './inspection-source';
import { ConfigurationError } from './parse-launch';
import { type Answer, type Call, type Method, methods, type Served, type WorkerData } from './protocol';

export type WorkerTarget = DebugTarget & InspectionSource & { dispose(): Promise<void> };

/** @param file the bundled worker */
export function createWorkerTarget(file: string): WorkerTarget {
  const stopWord = typeof SharedArrayBuffer === 'undefined' ? undefined : new Int32Array(new SharedArrayBuffer(4));
  const workerData: WorkerData = { stopWord };
  const worker = new Worker(file, { workerData, resourceLimits: { maxOldGenerationSizeMb: 2048 } });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const listeners: ((event: TargetEvent) => void)[] = [];
  let next = 1;
  let over: string | undefined;

  const end = (text: string): void => {
    if (over !== undefined) return;
    over = text;
    for (const { reject } of waiting.values()) reject(new Error(text));
    waiting.clear();
  };
  const emit = (event: TargetEvent): void => {
    for (const listener of listeners) listener(event);
  };
  worker.on('message', (message: Answer) => {
    if (message.kind === 'event') return emit(message.event);
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.kind === 'result') call?.resolve(message.value);
    else
      call?.reject(
        message.problems === undefined ? new Error(message.message) : new ConfigurationError(message.problems),
      );
  });
  worker.on('error', (error) => {
    const text = `The emulator thread failed: ${error.message}`;
    const first = over === undefined;
    end(text);
    if (first) emit({ kind: 'crashed', text });
  });
  worker.on('exit', () => {
    const first = over === undefined;
    end('The emulator thread has ended.');
    if (first) emit({ kind: 'crashed', text: 'The emulator thread ended unexpectedly.' });
  });

  const call = (method: Method, values: readonly unknown[]): Promise<unknown> => {
    if (over !== undefined) return Promise.reject(new Error(over));
    // A running machine looks at this word far more often than at messages.
    if (stopWord !== undefined && interrupting.has(method)) Atomics.store(stopWord, 0, 1);
    return new Promise((resolve, reject) => {
      const message: Call = { id: next++, method, values };
      waiting.set(message.id, { resolve, reject });
      worker.postMessage(message);
    });
  };
  const served = Object.fromEntries(methods.map((method) => [method, (...values: unknown[]) => call(method, values)]));
  return {
    ...(served as unknown as Served),
    onEvent: (listener) => {
      listeners.push(listener);
    },
    dispose: async () => {
      end('The session is over.');
      await worker.terminate();
    },
  };
}

/** Calls for which a running machine comes back at once instead of at the end of its slice. */
const interrupting: ReadonlySet<Method> = new Set(['pause', 'terminate', 'restart']);
