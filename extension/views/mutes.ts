// Mutes: rules that are reported but do not stop on one device. Kept with the workspace, listed and removable.
import * as vscode from 'vscode';
import type { PolicyEntry } from '../debug/target';
import type { Sessions } from './sessions';

export interface Mute {
  readonly rule: string;
  readonly device: string;
}

const key = 'ringside.mutes';

export class Mutes implements vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onChange = this.changes.event;
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly memory: vscode.Memento,
    private readonly sessions: Sessions,
  ) {
    this.subscription = sessions.onStart((session) => void sessions.setPolicyOf(session, 'mute', this.entries()));
  }

  dispose(): void {
    this.subscription.dispose();
    this.changes.dispose();
  }

  get list(): readonly Mute[] {
    return this.memory.get<Mute[]>(key, []);
  }
  has(rule: string, device: string): boolean {
    return this.list.some((mute) => mute.rule === rule && mute.device === device);
  }
  async add(rule: string, device: string): Promise<void> {
    if (!this.has(rule, device)) await this.replace([...this.list, { rule, device }]);
  }
  async remove(rule: string, device: string): Promise<void> {
    await this.replace(this.list.filter((mute) => mute.rule !== rule || mute.device !== device));
  }
  async clear(): Promise<void> {
    await this.replace([]);
  }

  private async replace(list: readonly Mute[]): Promise<void> {
    await this.memory.update(key, list);
    await this.sessions.setPolicy('mute', this.entries());
    this.changes.fire();
  }
  private entries(): readonly PolicyEntry[] {
    return this.list.map(({ rule, device }) => ({ pattern: rule, device, action: 'report' }));
  }
}
