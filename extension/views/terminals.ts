// Guest consoles as terminals: bytes out as they come, keys in as typed.
import * as vscode from 'vscode';
import type { Sessions, ViewedSession } from './sessions';

export class ConsoleTerminals implements vscode.Disposable {
  private readonly open = new Map<
    string,
    { terminal: vscode.Terminal; write: vscode.EventEmitter<string>; session: ViewedSession }
  >();
  private readonly subscriptions: vscode.Disposable[];

  constructor(sessions: Sessions) {
    this.subscriptions = [
      sessions.onConsole(({ session, channel, bytes }) => this.show(session, channel, bytes)),
      sessions.onStart((session) => this.closeOld(session)),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    for (const { terminal } of this.open.values()) terminal.dispose();
  }

  private show(session: ViewedSession, channel: string, bytes: Uint8Array): void {
    const key = `${session.id} ${channel}`;
    let entry = this.open.get(key);
    if (entry === undefined) {
      entry = this.create(session, channel, key);
      this.open.set(key, entry);
      // The first output of a guest is worth seeing, but not at the price of the keyboard.
      entry.terminal.show(true);
    }
    entry.write.fire(terminalText(bytes));
  }

  private create(
    session: ViewedSession,
    channel: string,
    key: string,
  ): { terminal: vscode.Terminal; write: vscode.EventEmitter<string>; session: ViewedSession } {
    const write = new vscode.EventEmitter<string>();
    let ready = false;
    let early = '';
    // A terminal that is not yet open drops what is written to it.
    const buffered = new vscode.EventEmitter<string>();
    write.event((text) => {
      if (ready) buffered.fire(text);
      else early += text;
    });
    const terminal = vscode.window.createTerminal({
      name: `${session.name}: ${channel}`,
      iconPath: new vscode.ThemeIcon('server-process'),
      isTransient: true,
      pty: {
        onDidWrite: buffered.event,
        open: () => {
          ready = true;
          buffered.fire(early);
          early = '';
        },
        close: () => this.open.delete(key),
        handleInput: (data: string) => {
          session.target.consoleInput(channel, new TextEncoder().encode(data)).catch(() => {
            buffered.fire('\r\n[the guest has ended; keys go nowhere]\r\n');
          });
        },
      },
    });
    return { terminal, write, session };
  }

  /** A new run of a configuration takes the place of the old one's terminals. */
  private closeOld(session: ViewedSession): void {
    for (const entry of this.open.values()) {
      if (
        entry.session.id !== session.id &&
        entry.session.configurationKey === session.configurationKey &&
        entry.session.standing === 'ended'
      )
        entry.terminal.dispose();
    }
  }
}

/** A bare line feed returns the carriage as well, as a serial terminal set up for UNIX would. Bytes are UTF-8. */
function terminalText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\r?\n/g, '\r\n');
}
