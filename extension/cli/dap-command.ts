// `ringside dap`: the debug adapter as a process of its own, for editors other than VS Code.
import * as net from 'node:net';
import * as path from 'node:path';
import { RingsideDebugAdapter } from '../debug/adapter';
import { parseLaunchConfiguration } from '../worker/parse-launch';
import { createWorkerTarget } from '../worker/worker-target';
import { UsageError } from './options';

/** Serves one session on standard input and output, or any number on a loopback port. Resolves when there is nothing left to serve. */
export function serveDebugAdapter(words: readonly string[]): Promise<number> {
  const port = parsePort(words);
  if (port === undefined) {
    return new Promise((resolve) => {
      const { adapter, dispose } = createAdapter();
      const end = (): void => void dispose().then(() => resolve(0));
      process.stdin.on('end', end);
      adapter.on('close', end);
      adapter.start(process.stdin, process.stdout);
    });
  }
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      const { adapter, dispose } = createAdapter();
      socket.on('close', () => void dispose());
      socket.on('error', () => void dispose());
      adapter.setRunAsServer(true);
      adapter.start(socket, socket);
    });
    server.on('error', (error) => reject(new UsageError(`--port ${port}: ${error.message}`)));
    server.on('close', () => resolve(0));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      process.stderr.write(
        `ringside: debug adapter on 127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}\n`,
      );
    });
  });
}

function createAdapter(): { adapter: RingsideDebugAdapter; dispose: () => Promise<void> } {
  const target = createWorkerTarget(path.join(__dirname, 'worker.js'));
  const adapter = new RingsideDebugAdapter({
    target,
    parseLaunch: (raw) =>
      parseLaunchConfiguration(raw, { resolvePath: (file) => path.resolve(file), mayWriteFiles: true }),
    consolesElsewhere: false,
  });
  return { adapter, dispose: () => target.dispose() };
}

function parsePort(words: readonly string[]): number | undefined {
  if (words.length === 0) return undefined;
  const text = words[0] === '--port' ? words[1] : /^--port=(.*)$/.exec(words[0] ?? '')?.[1];
  const port = /^\d+$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65_535) || words.length > 2)
    throw new UsageError(`ringside dap: found "${words.join(' ')}", expected --port N with N from 0 to 65535`);
  return port;
}
