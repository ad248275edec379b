// The differential test of the processor against QEMU, interpreter against compiler included, as a program and as a function for the
// short test: npm run campaign:cpu -- --count 1000000 --seed 1 [--first INDEX] [--minutes 10] [--only INDEX] [--differences 5]
// What a sequence does depends on where it lies: --only runs the whole batch around it, of a campaign that began at a multiple of 5000.
import { parseArgs } from 'node:util';
import { allowEngineFeatures } from '../../../extension/worker/engine-features';
import { compareStates, describeDifference, type Difference } from './compare';
import { generateSequence, instructionsOf, type Sequence } from './generate';
import {
  assembleHarness,
  chooseRecords,
  placeEnd,
  placeHarness,
  placeSequence,
  readState,
  readTraps,
  sameRecords,
  sameResult,
} from './image';
import { codeBase, greatestBatch, ramBase, recordsBase, resultsBase, trapLimit } from './layout';
import { OurMachine } from './ours';
import { isAmbiguous, permittedDifferences, permittedMarkdown } from './permitted';
import { qemuVersion, runOnQemu } from './qemu';

export interface CampaignOptions {
  readonly count: number;
  readonly seed: number;
  /** Index of the first sequence. */
  readonly first?: number;
  readonly report?: (line: string) => void;
  /** Begins no further batch after so long. */
  readonly minutes?: number;
  /** Stops after so many differences. */
  readonly greatestDifferences?: number;
}
export interface CampaignResult {
  readonly sequences: number;
  /** Names of the rows that occurred. */
  readonly instructions: ReadonlySet<string>;
  readonly traps: number;
  /** Sequences that changed instructions of their own. */
  readonly patches: number;
  /** Sequences that were made anew because they left their window or did not end. */
  readonly replaced: number;
  readonly differences: readonly Difference[];
}

const batchSize = Math.min(5000, greatestBatch);

export function runCampaign(options: CampaignOptions): CampaignResult {
  const { count, seed, first = 0, report = () => undefined, greatestDifferences = 5 } = options;
  allowEngineFeatures();
  const harness = assembleHarness();
  const filter = new OurMachine(harness, 'watched');
  const plain = new OurMachine(harness, 'interpreted');
  const end = performance.now() + (options.minutes ?? Infinity) * 60_000;
  let [traps, replaced, patches] = [0, 0, 0];
  const instructions = new Set<string>();
  const differences: Difference[] = [];
  let done = 0;
  while (done < count && differences.length < greatestDifferences && performance.now() < end) {
    const size = Math.min(batchSize, count - done);
    const fit = makeFit(filter, seed, first + done, size);
    replaced += fit.replaced;

    const image = new Uint8Array(resultsBase - ramBase);
    placeHarness(image, harness);
    chooseRecords(image, 0, size);
    // A new one each time: pages whose code changed often would be compiled rarely.
    const compiled = new OurMachine(harness, 'compiled');
    fit.sequences.forEach((sequence, index) => {
      placeSequence(image, index, sequence);
      if (sequence.isBeyondQemu) placeEnd(image, index);
      plain.place(index, sequence);
      compiled.place(index, sequence);
    });
    plain.clearResults();
    for (const machine of [plain, compiled]) {
      const exit = machine.run(0, size);
      if (!exit.done)
        throw new Error(
          `sequence ${first + done + exit.index} ends when it is watched, and not otherwise: ${exit.reason}`,
        );
    }
    const qemu = runOnQemu(image);
    // What unfit sequences destroyed in the filter's memory would be a difference too: only the fit ones count, run in a new machine.
    let watchedAgain: Uint8Array | undefined;
    const watched = (): Uint8Array => (watchedAgain ??= runWatched(harness, fit.sequences));
    for (const [index, sequence] of fit.sequences.entries()) {
      for (const name of instructionsOf(sequence)) instructions.add(name);
      if (sequence.patch !== undefined) patches++;
      traps += Math.min(Number(readTraps(plain.ram, index).get('traps') ?? 0n), trapLimit);
      const difference =
        (sequence.isBeyondQemu ? undefined : compareResults(sequence, index, 'QEMU', qemu, plain.ram)) ??
        (sameResult(filter.ram, plain.ram, index)
          ? undefined
          : compareResults(sequence, index, 'the watched interpreter', watched(), plain.ram)) ??
        compareResults(sequence, index, 'the interpreter', plain.ram, compiled.ram);
      if (difference === undefined) continue;
      differences.push(difference);
      report(describeDifference(difference));
      if (differences.length >= greatestDifferences) break;
    }
    done += size;
    report(`${done} sequences, ${traps} traps, ${replaced} replaced, ${differences.length} differences`);
  }
  return { sequences: done, instructions, traps, patches, replaced, differences };
}

function compareResults(
  sequence: Sequence,
  index: number,
  peer: string,
  theirs: Uint8Array,
  ours: Uint8Array,
): Difference | undefined {
  if (sameResult(theirs, ours, index)) return undefined;
  return compareStates(sequence, peer, readState(theirs, index), readState(ours, index));
}

function runWatched(harness: Uint8Array, sequences: readonly Sequence[]): Uint8Array {
  const machine = new OurMachine(harness, 'watched');
  sequences.forEach((sequence, index) => machine.place(index, sequence));
  machine.run(0, sequences.length);
  return machine.ram;
}

interface Fit {
  readonly sequences: readonly Sequence[];
  readonly replaced: number;
}

/** Sequences that stay in their window and end, found by running them on our side with every page watched. */
function makeFit(machine: OurMachine, seed: number, first: number, size: number): Fit {
  const sequences = Array.from({ length: size }, (_, index) => generateSequence(seed, first + index, 0, index));
  machine.clearResults();
  sequences.forEach((sequence, index) => machine.place(index, sequence));
  let replaced = 0;

  const replace = (index: number): void => {
    for (let attempt = 1; attempt < 100; attempt++) {
      const sequence = generateSequence(seed, first + index, attempt, index);
      sequences[index] = sequence;
      machine.place(index, sequence);
      replaced++;
      const fits = machine.run(index, index + 1).done && !isAmbiguous(sequence, readTraps(machine.ram, index));
      if (fits) return;
    }
    throw new Error(`no fit sequence for ${seed}:${first + index}`);
  };

  for (let from = 0; ;) {
    const exit = machine.run(from, size);
    if (exit.done) break;
    replace(exit.index);
    from = exit.index + 1;
  }
  sequences.forEach((sequence, index) => {
    if (isAmbiguous(sequence, readTraps(machine.ram, index))) replace(index);
  });
  replaceDestroyers(machine, sequences, replace);
  return { sequences, replaced };
}

/** Records are not watched, because the harness uses them much: a stray store to one shows in the record. */
function replaceDestroyers(
  machine: OurMachine,
  sequences: readonly Sequence[],
  replace: (index: number) => void,
): void {
  const placed = new Uint8Array(resultsBase - ramBase);
  const spoil = (count: number): boolean => {
    machine.ram.fill(0, recordsBase - ramBase, codeBase - ramBase);
    sequences.forEach((sequence, index) => machine.place(index, sequence));
    machine.run(0, count);
    return !sameRecords(machine.ram, placed);
  };
  const placeAll = (): void => sequences.forEach((sequence, index) => placeSequence(placed, index, sequence));
  placeAll();
  if (sameRecords(machine.ram, placed)) return;
  // What unfit sequences spoilt before they were replaced does not count.
  while (spoil(sequences.length)) {
    // The fewest sequences, from the first on, that spoil a record: the last of them did it.
    let [none, some] = [0, sequences.length];
    while (some - none > 1) {
      const middle = (none + some) >> 1;
      if (spoil(middle)) some = middle;
      else none = middle;
    }
    replace(some - 1);
    placeAll();
  }
}

if (require.main === module) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      differences: { type: 'string', default: '5' },
      first: { type: 'string', default: '0' },
      minutes: { type: 'string', default: 'Infinity' },
      markdown: { type: 'boolean', default: false },
    },
  });
  if (values.markdown) process.stdout.write(permittedMarkdown());
  else {
    run({
      seed: Number(values.seed),
      count: values.only === undefined ? Number(values.count) : batchSize,
      first: values.only === undefined ? Number(values.first) : Math.floor(Number(values.only) / batchSize) * batchSize,
      minutes: Number(values.minutes),
      greatestDifferences: Number(values.differences),
    });
  }
}

function run(options: CampaignOptions): void {
  console.log(`seed ${options.seed}; ${qemuVersion()}`);
  for (const { what, why } of permittedDifferences) console.log(`permitted: ${what}. ${why}`);
  const result = runCampaign({ ...options, report: (line) => console.log(line) });
  process.exitCode = result.differences.length === 0 ? 0 : 1;
}
