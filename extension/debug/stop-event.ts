// Why the guest stopped, as the body of a `stopped` event.
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { StopReason } from './target';
import { violationTitle } from './violation-text';

export function stopBody(reason: StopReason): Omit<DebugProtocol.StoppedEvent['body'], 'threadId'> {
  switch (reason.kind) {
    case 'entry':
    case 'pause':
    case 'step':
    case 'goto':
      return { reason: reason.kind };
    case 'breakpoint':
      return { reason: 'breakpoint', hitBreakpointIds: [...reason.ids] };
    case 'data-breakpoint':
      return { reason: 'data breakpoint', description: 'Paused on data breakpoint', text: reason.description };
    case 'violation':
      return {
        reason: 'exception',
        description: `Paused on violation: ${reason.violation.title}`,
        text: violationTitle(reason.violation),
      };
    case 'ring-event':
      return { reason: 'step', description: `Ring event: ${reason.description}`, text: reason.description };
    case 'beginning':
      return { reason: 'step', description: 'Paused where the history begins', text: reason.description };
    case 'trap':
      return { reason: 'exception', description: 'Paused: the guest is lost', text: reason.description };
    case 'stuck':
      return { reason: 'pause', description: 'Paused: the guest sleeps for ever', text: reason.description };
  }
}
