// Entry point of the tests that run inside an extension host (`--extensionTestsPath`): mocha, told to one file that the runner reads.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

interface Outcome {
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly error?: string;
}

export async function run(): Promise<void> {
  const results = process.env.EXTHOST_TEST_RESULTS;
  if (results === undefined) throw new Error('EXTHOST_TEST_RESULTS must name the file for the results');
  const outcomes: Outcome[] = [];
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, bail: true });
  // The files are in this bundle: what `addFile` would announce is announced here.
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  await import('./contributions');
  await import('./sessions');
  const failures = await new Promise<number>((done) => {
    const runner = mocha.run(done);
    runner.on('pass', (test) => outcomes.push({ title: test.fullTitle(), state: 'passed' }));
    runner.on('pending', (test) => outcomes.push({ title: test.fullTitle(), state: 'skipped' }));
    runner.on('fail', (test, error: Error) =>
      outcomes.push({ title: test.fullTitle(), state: 'failed', error: error.stack ?? error.message }),
    );
  });
  writeFileSync(results, JSON.stringify({ failures, tests: outcomes }));
  if (failures > 0) throw new Error(`${failures} tests failed`);
}
