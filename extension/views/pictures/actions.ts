// Intents that several pictures offer.
import type { CodePosition, Intent } from '../../../webview/model/inspector';

/** To the source line, or to the disassembly where there is none. */
export function positionIntent(position: CodePosition): Intent {
  return position.file !== null && position.line !== null
    ? { type: 'goToSource', file: position.file, line: position.line }
    : { type: 'goToAddress', pc: position.pc };
}
