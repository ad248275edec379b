// Linux on the user network: an address by DHCP, pings, names, and downloads over TCP from a server on this computer's loopback, with a
// disk busy at the same time where there is one; clean of violations.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { ringside } from '../harness/command';
import type { NetworkBoot } from './boots';
import type { LinuxGuest } from './guest';

const downloadBytes = 8_000_000;
export interface NetworkResult {
  readonly shortcomings: readonly string[];
  readonly steps: number;
  readonly seconds: number;
  readonly console: string;
}

export async function bootOnNetwork(guest: LinuxGuest, boot: NetworkBoot): Promise<NetworkResult> {
  const content = Buffer.from(Array.from({ length: downloadBytes }, (_, i) => (i * 7 + (i >> 9)) & 0xff));
  const server = http.createServer((_request, response) => response.end(content));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-linux-net-'));
  try {
    const at = server.address();
    if (at === null || typeof at !== 'object') throw new Error('the server has no port');
    const [report, stats] = ['report.json', 'stats.json'].map((name) => path.join(scratch, name));
    const { status, output, errors } = await ringside([
      ...[
        'run',
        '--kernel',
        guest.image,
        '--initrd',
        guest.initrd,
        '--memory',
        '256M',
        '--harts',
        String(boot.harts),
        '--bios',
        boot.bios ?? 'builtin',
      ],
      ...[
        '--append',
        `console=ttyS0 dhcp url=http://10.0.2.2:${at.port}/file${boot.disk === undefined ? '' : ' load'}`,
      ],
      ...['--device', 'entropy', '--device', `net,backend=user,${boot.net}`],
      ...(boot.disk === undefined ? [] : ['--device', `block,image=${guest.disk},${boot.disk}`]),
      ...['--rules', 'must=report,should=report,hazard=report', '--timeout', '300'],
      ...['--report', `json:${report ?? ''}`, '--stats', stats ?? ''],
    ]);
    const expected = boot.alarms ?? [];
    const sum = createHash('md5').update(content).digest('hex');
    const wanted = [
      'net-dhcp 10.0.2.15/24',
      'net-ping 10.0.2.2',
      'net-dns',
      `net-download ${sum}`,
      ...(boot.disk === undefined ? [] : ['block-read 7/7', 'load-block', 'load-net']),
    ];
    const parsed = JSON.parse(fs.readFileSync(report ?? '', 'utf8')) as {
      violations: { rule: string; message: string }[];
    };
    const numbers = JSON.parse(fs.readFileSync(stats ?? '', 'utf8')) as { steps: number; wallSeconds: number };
    return {
      shortcomings: [
        ...wanted.filter((each) => !output.includes(`CHECK ${each} PASS`)).map((each) => `the console lacks ${each}`),
        ...parsed.violations
          .filter(({ rule }) => !expected.includes(rule))
          .map(({ rule, message }) => `${rule}: ${message}`),
        ...expected
          .filter((rule) => !parsed.violations.some((violation) => violation.rule === rule))
          .map((rule) => `${rule} is missing`),
        ...(status === (expected.length === 0 ? 0 : 1)
          ? []
          : [`it ended with ${status ?? 'nothing'}: ${errors.slice(-500)}`]),
      ],
      steps: numbers.steps,
      seconds: numbers.wallSeconds,
      console: output,
    };
  } finally {
    fs.rmSync(scratch, { recursive: true });
    server.close();
  }
}
