// The `ringside` command. Guest console on standard output, everything else on standard error.
import { rulesJson, rulesMarkdown } from '../../emulator/virtio/rules/coverage-text';
import { allowEngineFeatures } from '../worker/engine-features';
import { UsageError } from './options';
import { disassembleFile } from './disasm-command';
import { serveDebugAdapter } from './dap-command';
import { exitStatus, runCommand } from './run-command';

const help = `ringside run [options] [GUEST]   run a guest without an editor; options of the guest are those of a launch configuration
  --bios FILE|builtin|none  --kernel FILE  --initrd FILE  --append TEXT  --dtb FILE  --memory 128M  --harts N  --seed N
  --aia none|aplic|aplic-imsic
  --device TYPE[,key=value...]   repeatable, e.g. block,image=disk.img,mode=overlay,slot=0,queueSize=8,latency=10us
  --symbols FILE  --accessor GLOB   repeatable: more symbols; functions to pass over when a line is blamed
  --rules 'must=report,ring.*=off'  --fail-on must|should|hazard  --on-violation stop|continue
  --expect REGEX  --send TEXT  --script FILE   a dialogue with the guest's console
  --max-instructions N  --timeout SECONDS  --clock paced|warp
  --campaign N   the guest under N seeds, each with another combination of device moods; what is new is shown with its seed
  --report text|json|sarif|junit[:FILE]  --trace FILE  --stats FILE
ringside rules [--json|--markdown]   the rule catalogue and how it covers the specification
ringside disasm FILE                 the code of a guest as text
ringside dap [--port N]              the debug adapter for other editors, on standard input and output or a loopback port
Exit status: 2 usage or unreadable input, 3 the guest crashed, hung or timed out, 4 it reported failure, 1 violations, 0 otherwise.
`;

async function main(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  switch (command) {
    case 'run':
      return runCommand(rest);
    case 'rules':
      return rules(rest);
    case 'disasm':
      return disassembleFile(rest);
    case 'dap':
      return serveDebugAdapter(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(help);
      return exitStatus.ok;
    default:
      throw new UsageError(
        `${command === undefined ? 'no command' : `unknown command "${command}"`}; expected run, rules, disasm, dap or help`,
      );
  }
}

function rules(words: readonly string[]): number {
  const [format = '--markdown', ...rest] = words;
  if (rest.length > 0 || (format !== '--json' && format !== '--markdown'))
    throw new UsageError(`ringside rules: found "${words.join(' ')}", expected --json or --markdown`);
  process.stdout.write(format === '--json' ? rulesJson() : rulesMarkdown());
  return exitStatus.ok;
}

allowEngineFeatures();
main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    if (error instanceof UsageError)
      process.stderr.write(`ringside: ${error.message.replace(/\n/g, '\nringside: ')}\n`);
    else
      process.stderr.write(
        `ringside: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
    process.exitCode = exitStatus.usage;
  },
);
