// Data breakpoints that were set from the inspector. VS Code has no place for them in its own list, so the session keeps them and the
// Devices view shows them.
import * as vscode from 'vscode';
import type { Sessions, ViewedSession } from './sessions';

export class DataBreakpoints implements vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onChange = this.changes.event;
  /** By session: `physical:0x80001000/4`. */
  private readonly set = new Map<string, readonly string[]>();
  private readonly subscription: vscode.Disposable;

  constructor(private readonly sessions: Sessions) {
    this.subscription = sessions.onChange((session) => {
      if (session.standing === 'ended') this.set.delete(session.id);
    });
  }

  dispose(): void {
    this.subscription.dispose();
    this.changes.dispose();
  }

  of(session: ViewedSession): readonly string[] {
    return this.set.get(session.id) ?? [];
  }

  /** @param address guest-physical, `0x…` */
  async add(address: string, bytes: number): Promise<void> {
    const session = this.sessions.current;
    if (session === undefined || session.standing === 'ended')
      throw new Error('The guest has ended: nothing can change any more.');
    const { dataId } = (await session.debugSession.customRequest('ringside/breakWhenChanges', { address, bytes })) as {
      readonly dataId: string;
    };
    this.replace(session, [...this.of(session).filter((one) => one !== dataId), dataId]);
  }

  async remove(dataId: string): Promise<void> {
    const session = this.sessions.live.find((one) => this.of(one).includes(dataId));
    if (session === undefined) return;
    await session.debugSession.customRequest('ringside/removeDataBreakpoint', { dataId });
    this.replace(
      session,
      this.of(session).filter((one) => one !== dataId),
    );
  }

  private replace(session: ViewedSession, list: readonly string[]): void {
    this.set.set(session.id, list);
    this.changes.fire();
  }
}
