// The commands of the palette, the toolbar and the trees.
import * as vscode from 'vscode';
import { sectionLink } from '../../emulator/virtio/rules/links';
import { screens } from '../../webview/model/messages';
import type { ViolationReport } from '../debug/target';
import type { RuleSummary } from '../worker/rule-summary';
import type { DataBreakpoints } from './data-breakpoints';
import type { GuestPages } from './guest-pages';
import type { Inspector } from './inspector';
import type { Mutes } from './mutes';
import { openSource } from './navigation';
import { openRulePage } from './rule-page';
import { openSampleProject } from './sample';
import type { Sessions, ViewedSession } from './sessions';

export interface CommandSurroundings {
  readonly extension: vscode.ExtensionContext;
  readonly sessions: Sessions;
  readonly mutes: Mutes;
  readonly dataBreakpoints: DataBreakpoints;
  readonly pages: GuestPages;
  readonly rules: () => readonly RuleSummary[];
  readonly inspector: Inspector;
}

type Command = (...values: readonly unknown[]) => unknown;

export function registerCommands(around: CommandSurroundings): vscode.Disposable {
  const { sessions, mutes } = around;
  const commands: Readonly<Record<string, Command>> = {
    'ringside.openSample': () => openSampleProject(around.extension),
    'ringside.openInspector': (device, screen, queue) =>
      around.inspector.open(
        typeof device === 'string' ? device : undefined,
        screens.find((each) => each === screen),
        typeof queue === 'number' ? queue : undefined,
      ),
    'ringside.openWalkthrough': () =>
      vscode.commands.executeCommand(
        'workbench.action.openWalkthrough',
        `${around.extension.extension.id}#ringside.start`,
        false,
      ),
    'ringside.nextRingEvent': async () => {
      const session = stopped(sessions);
      if (session !== undefined) await session.debugSession.customRequest('ringside/nextRingEvent', {});
    },
    'ringside.previousRingEvent': async () => {
      const session = rewindable(sessions);
      if (session !== undefined) await session.debugSession.customRequest('ringside/previousRingEvent', {});
    },
    'ringside.goToEvent': async (index) => {
      const session = rewindable(sessions);
      if (session !== undefined && typeof index === 'number')
        await session.debugSession.customRequest('ringside/goToEvent', { index });
    },
    'ringside.goToLiveEnd': async () => {
      const session = rewindable(sessions);
      if (session !== undefined) await session.debugSession.customRequest('ringside/goToLiveEnd', {});
    },
    'ringside.goToCause': (node) => {
      const source = (violationOf(node) ?? newestWithSource(sessions))?.source;
      if (source === undefined)
        return vscode.window.showInformationMessage('No violation with a source line was found in this session.');
      return openSource(source.file, source.line);
    },
    'ringside.goToRelated': (node) => {
      const source = (violationOf(node) ?? newestWithSource(sessions))?.related?.source;
      if (source === undefined)
        return vscode.window.showInformationMessage('This violation does not follow from an earlier line.');
      return openSource(source.file, source.line);
    },
    'ringside.goToSource': (file, line) =>
      typeof file === 'string' && typeof line === 'number' ? openSource(file, line) : undefined,
    'ringside.explainRule': async (id) => {
      const rule =
        typeof id === 'string'
          ? id
          : (ruleOf(id) ?? sessions.current?.stoppedAt?.rule ?? (await pickRule(around.rules())));
      if (rule !== undefined) await openRulePage(rule);
    },
    'ringside.openSpecification': (section) =>
      typeof section === 'string' ? vscode.env.openExternal(vscode.Uri.parse(sectionLink(section))) : undefined,
    'ringside.muteRule': async (rule, device) => {
      const violation = violationOf(rule) ?? sessions.current?.stoppedAt;
      const [id, name] =
        typeof rule === 'string' && typeof device === 'string' ? [rule, device] : [violation?.rule, violation?.device];
      if (id === undefined || name === undefined)
        return vscode.window.showInformationMessage('Stop at a violation first, or mute it from the Devices view.');
      await mutes.add(id, name);
      return vscode.window.setStatusBarMessage(
        `$(bell-slash) ${id} on ${name} is reported from now on, without a stop`,
        5000,
      );
    },
    'ringside.unmuteRule': (node) => {
      const mute = muteOf(node);
      return mute === undefined ? mutes.clear() : mutes.remove(mute.rule, mute.device);
    },
    'ringside.clearMutes': () => mutes.clear(),
    'ringside.showMemory': (address, length) =>
      typeof address === 'string' ? around.pages.showMemory(BigInt(address), Number(length) || 64) : undefined,
    'ringside.showCode': (address) =>
      typeof address === 'string' ? around.pages.showCode(BigInt(address)) : undefined,
    'ringside.breakWhenChanges': async (address, length) => {
      if (typeof address !== 'string' || typeof length !== 'number') return;
      await around.dataBreakpoints.add(address, length);
      vscode.window.setStatusBarMessage(`$(debug-breakpoint-data) stops when the guest stores to ${address}`, 5000);
    },
    'ringside.removeDataBreakpoint': (node) => {
      const id = fieldOf(node, 'dataId');
      return typeof id === 'string' ? around.dataBreakpoints.remove(id) : undefined;
    },
  };
  const guarded = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(name, async (...values: unknown[]) => {
      try {
        return await run(...values);
      } catch (error) {
        return vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
      }
    }),
  );
  return vscode.Disposable.from(...guarded);
}

function stopped(sessions: Sessions): ViewedSession | undefined {
  const session = sessions.current;
  if (session === undefined || session.standing === 'ended')
    void vscode.window.showInformationMessage('Start a guest first (F5): ring events are made by a running driver.');
  else if (session.standing === 'running')
    void vscode.window.showInformationMessage('The guest is running: pause it first.');
  else if (session.standing === 'stopped') return session;
  return undefined;
}

function rewindable(sessions: Sessions): ViewedSession | undefined {
  const session = stopped(sessions);
  if (session === undefined || session.canGoBack) return session;
  void vscode.window.showInformationMessage(
    'This session keeps no history: set "history" in its launch configuration to a size such as "256M".',
  );
  return undefined;
}

/** The violation that the guest stands at, else the newest one that has a line. */
function newestWithSource(sessions: Sessions): ViolationReport | undefined {
  const session = sessions.current;
  const found = [...(session?.violations.values() ?? [])].filter((violation) => violation.source !== undefined);
  return session?.stoppedAt ?? found.sort((a, b) => a.foundAtStep - b.foundAtStep).at(-1);
}

/** Tree nodes arrive as plain objects. */
function fieldOf(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null && name in node
    ? (node as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
function violationOf(node: unknown): ViolationReport | undefined {
  return fieldOf(node, 'violation') as ViolationReport | undefined;
}
function ruleOf(node: unknown): string | undefined {
  const rule = fieldOf(node, 'rule') ?? fieldOf(node, 'violation');
  const id = fieldOf(rule, 'id') ?? fieldOf(rule, 'rule');
  return typeof id === 'string' ? id : undefined;
}
function muteOf(node: unknown): { rule: string; device: string } | undefined {
  return fieldOf(node, 'mute') as { rule: string; device: string } | undefined;
}

async function pickRule(rules: readonly RuleSummary[]): Promise<string | undefined> {
  const pick = await vscode.window.showQuickPick(
    rules.map((rule) => ({
      label: rule.title,
      description: rule.id,
      detail: `virtio 1.4, ${rule.section}`,
      id: rule.id,
    })),
    { placeHolder: 'Which rule shall be explained?', matchOnDescription: true },
  );
  return pick?.id;
}
