// The debugging sessions of this window as the views see them: one record for each, and events when something changed.
import * as vscode from 'vscode';
import type { TargetEvent, ViolationReport } from '../debug/target';
import type { WorkerTarget } from '../worker/worker-target';

export type SessionStanding = 'starting' | 'running' | 'stopped' | 'ended';

export interface ViewedSession {
  readonly id: string;
  readonly name: string;
  /** Folder and configuration name: Problems stay until the same configuration starts again. */
  readonly configurationKey: string;
  readonly debugSession: vscode.DebugSession;
  readonly target: WorkerTarget;
  standing: SessionStanding;
  /** Newest version of each violation, by number. */
  readonly violations: Map<number, ViolationReport>;
  /** Where it stopped, when that was a violation. */
  stoppedAt: ViolationReport | undefined;
  devices: readonly { readonly name: string; readonly type: string }[];
}

export class Sessions implements vscode.Disposable {
  private readonly all = new Map<string, ViewedSession>();
  private readonly changes = new vscode.EventEmitter<ViewedSession>();
  private readonly starts = new vscode.EventEmitter<ViewedSession>();
  private readonly finds = new vscode.EventEmitter<{ session: ViewedSession; violation: ViolationReport }>();
  private readonly outputs = new vscode.EventEmitter<{ session: ViewedSession; channel: string; bytes: Uint8Array }>();
  private newest: ViewedSession | undefined;

  /** A session was created; its guest is not loaded yet. */
  readonly onStart = this.starts.event;
  /** Its standing, devices or policy changed. */
  readonly onChange = this.changes.event;
  readonly onViolation = this.finds.event;
  readonly onConsole = this.outputs.event;

  /** The session that views show: the active debug session if it is ours, else the newest. */
  get current(): ViewedSession | undefined {
    const active = vscode.debug.activeDebugSession;
    return (active === undefined ? undefined : this.all.get(active.id)) ?? this.newest;
  }
  get(id: string): ViewedSession | undefined {
    return this.all.get(id);
  }

  add(debugSession: vscode.DebugSession, target: WorkerTarget): ViewedSession {
    const session: ViewedSession = {
      id: debugSession.id,
      name: debugSession.name,
      configurationKey: `${debugSession.workspaceFolder?.uri.toString() ?? ''}#${debugSession.configuration.name}`,
      debugSession,
      target,
      standing: 'starting',
      violations: new Map(),
      stoppedAt: undefined,
      devices: [],
    };
    this.all.set(session.id, session);
    this.newest = session;
    target.onEvent((event) => this.note(session, event));
    this.starts.fire(session);
    this.changes.fire(session);
    return session;
  }

  async end(id: string): Promise<void> {
    const session = this.all.get(id);
    if (session === undefined) return;
    session.standing = 'ended';
    this.all.delete(id);
    this.changes.fire(session);
    await session.target.dispose();
  }

  dispose(): void {
    for (const id of [...this.all.keys()]) void this.end(id);
    this.starts.dispose();
    this.changes.dispose();
    this.finds.dispose();
    this.outputs.dispose();
  }

  private note(session: ViewedSession, event: TargetEvent): void {
    switch (event.kind) {
      case 'console':
        this.outputs.fire({ session, channel: event.channel, bytes: event.bytes });
        return;
      case 'violation':
        session.violations.set(event.violation.number, event.violation);
        this.finds.fire({ session, violation: event.violation });
        return;
      case 'stopped':
        session.standing = 'stopped';
        session.stoppedAt = event.reason.kind === 'violation' ? event.reason.violation : undefined;
        break;
      case 'continued':
        session.standing = 'running';
        session.stoppedAt = undefined;
        break;
      case 'launched':
        session.violations.clear();
        session.devices = event.result.devices;
        break;
      case 'finished':
      case 'crashed':
        session.standing = 'ended';
        break;
      case 'policy-changed':
        break;
      case 'message':
        return;
    }
    this.changes.fire(session);
  }
}
