// The debugging sessions of this window as the views see them: one record for each, and events when something changed.
import * as vscode from 'vscode';
import type { InspectorModel } from '../../webview/model/inspector';
import type { PolicyEntry, PolicyOrigin, TargetEvent, ViolationReport } from '../debug/target';
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
  /** Whether it keeps a history, and whether it stands in it. */
  canGoBack: boolean;
  inPast: boolean;
  devices: readonly { readonly name: string; readonly type: string }[];
  /** The last picture of each device, for when the machine is gone. */
  readonly pictures: Map<string, InspectorModel>;
}

export class Sessions implements vscode.Disposable {
  private readonly all = new Map<string, ViewedSession>();
  private readonly changes = new vscode.EventEmitter<ViewedSession>();
  private readonly stops = new vscode.EventEmitter<ViewedSession>();
  private readonly starts = new vscode.EventEmitter<ViewedSession>();
  private readonly finds = new vscode.EventEmitter<{ session: ViewedSession; violation: ViolationReport }>();
  private readonly outputs = new vscode.EventEmitter<{ session: ViewedSession; channel: string; bytes: Uint8Array }>();
  private newest: ViewedSession | undefined;

  /** A session was created; its guest is not loaded yet. */
  readonly onStart = this.starts.event;
  /** Its standing, devices or policy changed. */
  readonly onChange = this.changes.event;
  /** It stopped; fires behind `onChange`. */
  readonly onStop = this.stops.event;
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
  /** Those whose guest is still there. */
  get live(): readonly ViewedSession[] {
    return [...this.all.values()];
  }

  /** Replaces one origin's entries of the rule policy, in every session. */
  async setPolicy(origin: PolicyOrigin, entries: readonly PolicyEntry[]): Promise<void> {
    await Promise.all(this.live.map((session) => this.setPolicyOf(session, origin, entries)));
  }
  /** A session that is about to end may not take it; it does not need it either. */
  async setPolicyOf(session: ViewedSession, origin: PolicyOrigin, entries: readonly PolicyEntry[]): Promise<void> {
    try {
      await session.target.setPolicy(origin, entries);
    } catch (error) {
      if (this.all.has(session.id) && session.standing !== 'ended') throw error;
    }
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
      canGoBack: false,
      inPast: false,
      devices: [],
      pictures: new Map(),
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
    this.stops.dispose();
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
        session.inPast = event.inPast === true;
        session.stoppedAt = event.reason.kind === 'violation' ? event.reason.violation : undefined;
        break;
      case 'continued':
        session.standing = 'running';
        session.stoppedAt = undefined;
        break;
      case 'launched':
        session.violations.clear();
        session.pictures.clear();
        session.stoppedAt = undefined;
        session.standing = 'starting';
        session.inPast = false;
        session.canGoBack = event.result.hasHistory;
        session.devices = event.result.devices;
        break;
      case 'forked':
        session.inPast = false;
        for (const number of [...session.violations.keys()])
          if (!event.violations.includes(number)) session.violations.delete(number);
        break;
      case 'finished':
        session.standing = 'ended';
        void this.keepPictures(session);
        break;
      case 'crashed':
        session.standing = 'ended';
        break;
      case 'policy-changed':
        break;
      case 'message':
        return;
    }
    this.changes.fire(session);
    if (event.kind === 'stopped') this.stops.fire(session);
  }
  /** The machine is inspectable until the client says goodbye: what it ended as is what one wants to see. */
  private async keepPictures(session: ViewedSession): Promise<void> {
    // All are asked for at once, in front of the goodbye. Without a picture the views show the last one they drew.
    const asked = session.devices.map(({ name }) => session.target.inspect({ device: name }).catch(() => undefined));
    for (const picture of await Promise.all(asked))
      if (picture !== undefined && picture.device !== null) session.pictures.set(picture.device.name, picture);
    this.changes.fire(session);
  }
}
