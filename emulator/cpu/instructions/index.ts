// The instruction table: every instruction of the processor, each with its encoding, its text and its meaning.
import { atomic } from './atomic';
import { base } from './base';
import { bitManipulation } from './bit-manipulation';
import { cacheBlocks } from './cache-blocks';
import { compressed } from './compressed';
import { float } from './float';
import type { CompressedRow, InstructionRow } from './format';
import { multiply } from './multiply';
import { privileged } from './privileged';

export const instructions: readonly InstructionRow[] = [
  ...base,
  ...multiply,
  ...atomic,
  ...float,
  ...bitManipulation,
  ...cacheBlocks,
  ...privileged,
];
export const compressedInstructions: readonly CompressedRow[] = compressed;
