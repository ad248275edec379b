// Debug sessions on the sample through the extension API: what another extension, or a task, can do and see.
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { DebugProtocol } from '@vscode/debugprotocol';

const longestWaitMs = 20_000;

/** The messages that a session sends to VS Code, kept from its start. */
class Messages implements vscode.DebugAdapterTracker {
  private readonly waiting = new Set<() => void>();
  private readonly events: DebugProtocol.Event[] = [];
  private taken = 0;

  onDidSendMessage(message: DebugProtocol.ProtocolMessage): void {
    if (message.type !== 'event') return;
    this.events.push(message as DebugProtocol.Event);
    for (const look of this.waiting) look();
  }

  /** The next event of one of these kinds, behind the one that was taken last. */
  next(...kinds: readonly string[]): Promise<DebugProtocol.Event> {
    return new Promise((resolve, reject) => {
      const stopLooking = (): void => {
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      const timer = setTimeout(() => {
        stopLooking();
        reject(new Error(`no event of ${kinds.join(', ')}; there were ${this.events.map((e) => e.event).join(' ')}`));
      }, longestWaitMs);
      const look = (): void => {
        const at = this.events.findIndex((event, index) => index >= this.taken && kinds.includes(event.event));
        const event = this.events[at];
        if (event === undefined) return;
        this.taken = at + 1;
        stopLooking();
        resolve(event);
      };
      this.waiting.add(look);
      look();
    });
  }
}

interface Started {
  readonly session: vscode.DebugSession;
  readonly messages: Messages;
}

function folder(): vscode.WorkspaceFolder {
  const first = vscode.workspace.workspaceFolders?.[0];
  assert.ok(first, 'a folder with the sample is open');
  return first;
}

async function start(name: string): Promise<Started> {
  const messages = new Messages();
  const tracker = vscode.debug.registerDebugAdapterTrackerFactory('virtio', {
    createDebugAdapterTracker: () => messages,
  });
  const begun = new Promise<vscode.DebugSession>((resolve) => {
    const listening = vscode.debug.onDidStartDebugSession((session) => {
      listening.dispose();
      resolve(session);
    });
  });
  try {
    assert.ok(await vscode.debug.startDebugging(folder(), name), `“${name}” starts`);
    return { session: await begun, messages };
  } finally {
    tracker.dispose();
  }
}

async function topFrame(session: vscode.DebugSession): Promise<DebugProtocol.StackFrame> {
  const answer = (await session.customRequest('stackTrace', {
    threadId: 1,
  })) as DebugProtocol.StackTraceResponse['body'];
  // The accessor that carries the access stands above, dimmed.
  const frame = answer.stackFrames.find(({ source }) => source?.presentationHint !== 'deemphasize');
  assert.ok(frame);
  return frame;
}

function end(session: vscode.DebugSession): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = vscode.debug.onDidTerminateDebugSession((ended) => {
      if (ended.id !== session.id) return;
      listening.dispose();
      resolve();
    });
    Promise.resolve(vscode.debug.stopDebugging(session)).catch(reject);
  });
}

/** The violations that stand in Problems, by the file's name. */
function found(): readonly string[] {
  return vscode.languages
    .getDiagnostics()
    .flatMap(([uri, list]) =>
      list
        .filter(({ source }) => source === 'ringside')
        .map(({ code }) => `${uri.path.split('/').pop() ?? ''} ${codeText(code)}`),
    );
}

/** Problems come a little behind the stop. */
async function untilFound(...wanted: readonly string[]): Promise<void> {
  const deadline = Date.now() + longestWaitMs;
  while (found().length !== wanted.length && Date.now() < deadline)
    await new Promise<void>((resolve) => {
      const go = (): void => {
        listening.dispose();
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(go, 1000);
      const listening = vscode.languages.onDidChangeDiagnostics(go);
    });
  assert.deepEqual(found(), wanted);
}

const codeText = (code: vscode.Diagnostic['code']): string => String(typeof code === 'object' ? code.value : code);

describe('a session on the faulty driver', () => {
  let started: Started;

  it('stops at the first violation, with all that the exception widget shows', async () => {
    started = await start('Ringside: faulty driver');
    const stopped = (await started.messages.next('stopped')) as DebugProtocol.StoppedEvent;
    assert.equal(stopped.body.reason, 'exception');
    const info = (await started.session.customRequest('exceptionInfo', {
      threadId: 1,
    })) as DebugProtocol.ExceptionInfoResponse['body'];
    assert.match(info.exceptionId, /^Driver skipped ACKNOWLEDGE /);
    assert.match(info.description ?? '', /ACKNOWLEDGE/);
    const frame = await topFrame(started.session);
    assert.equal(frame.source?.name, 'virtio_mmio.c');
  });

  it('leaves it in Problems, with the rule as its code', () => untilFound('virtio_mmio.c init.no-acknowledge'));

  it('goes on to the next violation', async () => {
    await started.session.customRequest('continue', { threadId: 1 });
    await started.messages.next('stopped');
    await untilFound('virtio_mmio.c init.no-acknowledge', 'virtio_mmio.c features.over-accepted');
  });

  it('ends when it is told to, and keeps the Problems', async () => {
    await end(started.session);
    assert.equal(found().length, 2);
  });
});

describe('a session on the correct driver', () => {
  let started: Started;

  it('clears nothing of another configuration', async () => {
    const [source] = await vscode.workspace.findFiles('virtqueue.c');
    assert.ok(source);
    const document = await vscode.workspace.openTextDocument(source);
    const line = document
      .getText()
      .split('\n')
      .findIndex((text) => text.includes('queue->avail.ring['));
    vscode.debug.addBreakpoints([
      new vscode.SourceBreakpoint(new vscode.Location(source, new vscode.Position(line, 0))),
    ]);
    started = await start('Ringside: correct driver');
    const stopped = (await started.messages.next('stopped')) as DebugProtocol.StoppedEvent;
    assert.equal(stopped.body.reason, 'breakpoint');
    assert.equal((await topFrame(started.session)).line, line + 1);
    assert.equal(found().length, 2);
  });

  it('stops at the next ring event', async () => {
    await started.session.customRequest('ringside/nextRingEvent', {});
    const stopped = (await started.messages.next('stopped')) as DebugProtocol.StoppedEvent;
    assert.match(stopped.body.description ?? '', /^Ring event: vda/);
  });

  it('runs to its end', async () => {
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    await started.session.customRequest('continue', { threadId: 1 });
    await started.messages.next('terminated');
  });
});
