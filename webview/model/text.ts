// Words of the view models: text with a few marked runs, positions in code, and who did something. Plain data for both sides.
import type { Intent } from './messages';

/** Who did a thing or has a thing. Drawn as hue and shape: the driver is a blue square, the device an orange disc. */
export type Who = 'driver' | 'device';

/** A place in the guest's code. `file` is null without line information: `label` is then symbol and offset, and `pc` leads to the disassembly. */
export interface CodePosition {
  /** What is shown: `driver.c:58`, or `vq_fill+0x1c`. */
  readonly label: string;
  /** The path as the debugger knows it. */
  readonly file: string | null;
  /** Line number, from 1. */
  readonly line: number | null;
  /** Virtual address as `0x...`. */
  readonly pc: string;
}

/** One run of a text. A plain string is plain; guest strings may stand in every run, they are only ever shown as text. */
export type TextRun =
  | string
  | { readonly strong: string }
  | { readonly code: string }
  | { readonly position: CodePosition }
  | { readonly link: string; readonly intent: Intent };

export type RichText = readonly TextRun[];

/** The words of a text without their marks: for aria labels, titles and tests. */
export function plainText(text: RichText): string {
  return text
    .map((run) => {
      if (typeof run === 'string') return run;
      if ('strong' in run) return run.strong;
      if ('code' in run) return run.code;
      return 'position' in run ? run.position.label : run.link;
    })
    .join('');
}

/** A statement of the kind "the driver wrote 0x01 at driver.c:61". */
export interface Fact {
  readonly who: Who | null;
  readonly text: RichText;
}

/** A button. `key` is the key that does the same while the page has the focus, as it is shown. */
export interface Action {
  readonly label: string;
  readonly intent: Intent;
  readonly key?: string;
  readonly primary?: boolean;
}

/** A name and what stands beside it. */
export interface NamedValue {
  readonly name: string;
  readonly value: string;
}
