// A read-only TFTP server for the files of one folder, for boot loaders. [RFC 1350, 2347, 2348, 2349]
// Guarantees: never leaves the folder, whatever the name; keeps no more than a few transfers.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { read16, write16 } from '../../../emulator/network/packet';

export const tftpPort = 69;

const operation = { read: 1, write: 2, data: 3, acknowledge: 4, error: 5, optionAcknowledge: 6 } as const;
const errorCode = { notFound: 1, access: 2, illegal: 4, unknownTransfer: 5 } as const;
const defaultBlockBytes = 512;
/** So that a block with its headers fits a frame. */
const largestBlockBytes = 1468;
const greatestFileBytes = 256 * 1024 * 1024;
const greatestTransfers = 8;

interface Transfer {
  readonly content: Uint8Array;
  readonly blockBytes: number;
  /** Port that this side answers from. */
  readonly port: number;
  /** Newest block that the guest has, not wrapped. */
  acknowledged: number;
}

/** What goes back, and from which port. */
export interface TftpAnswer {
  readonly port: number;
  readonly message: Uint8Array;
}

export class TftpServer {
  /** By the port of the guest. */
  private readonly transfers = new Map<number, Transfer>();
  private nextPort = 49_152;

  /** @param folder absolute path */
  constructor(private readonly folder: string) {}

  /** Whether a datagram to this port of the gateway belongs to a transfer. */
  owns(guestPort: number, port: number): boolean {
    return port === tftpPort || this.transfers.get(guestPort)?.port === port;
  }

  answer(guestPort: number, port: number, message: Uint8Array): TftpAnswer | undefined {
    const kind = read16(message, 0);
    if (port === tftpPort) {
      if (kind === operation.read) return this.begin(guestPort, message);
      if (kind === operation.write) return failure(tftpPort, errorCode.access, 'files can only be read');
      return failure(tftpPort, errorCode.illegal, 'expected a read request');
    }
    const transfer = this.transfers.get(guestPort);
    if (transfer === undefined) return failure(port, errorCode.unknownTransfer, 'no such transfer');
    if (kind === operation.acknowledge) return this.sendAfter(guestPort, transfer, read16(message, 2));
    this.transfers.delete(guestPort);
    return undefined;
  }

  private begin(guestPort: number, message: Uint8Array): TftpAnswer {
    const words = new TextDecoder('latin1').decode(message.subarray(2)).split('\0');
    const [name = '', mode = ''] = words;
    if (!/^(octet|netascii)$/i.test(mode)) return failure(tftpPort, errorCode.illegal, `unknown mode ${mode}`);
    const content = this.readFile(name);
    if (typeof content === 'string') return failure(tftpPort, errorCode.notFound, content);
    const options = new Map<string, string>();
    for (let i = 2; i + 1 < words.length; i += 2) options.set((words[i] ?? '').toLowerCase(), words[i + 1] ?? '');
    const asked = Number(options.get('blksize'));
    const blockBytes = asked >= 8 ? Math.min(asked, largestBlockBytes) : defaultBlockBytes;
    const [oldest] = this.transfers.keys();
    if (this.transfers.size >= greatestTransfers && oldest !== undefined) this.transfers.delete(oldest);
    const transfer: Transfer = { content, blockBytes, port: this.nextPort, acknowledged: 0 };
    this.nextPort = this.nextPort === 65_535 ? 49_152 : this.nextPort + 1;
    this.transfers.set(guestPort, transfer);
    const accepted = [
      ...(asked >= 8 ? ['blksize', String(blockBytes)] : []),
      ...(options.has('tsize') ? ['tsize', String(content.length)] : []),
    ];
    if (accepted.length === 0) return dataBlock(transfer, 1);
    const text = new TextEncoder().encode(accepted.map((word) => `${word}\0`).join(''));
    const reply = new Uint8Array(2 + text.length);
    write16(reply, 0, operation.optionAcknowledge);
    reply.set(text, 2);
    return { port: transfer.port, message: reply };
  }

  /** Block numbers wrap at 65,536; what is acknowledged is the block near the last one. */
  private sendAfter(guestPort: number, transfer: Transfer, acknowledged: number): TftpAnswer | undefined {
    const ahead = (acknowledged - transfer.acknowledged) & 0xffff;
    transfer.acknowledged = Math.max(0, transfer.acknowledged + (ahead < 0x8000 ? ahead : ahead - 0x1_0000));
    if (transfer.acknowledged * transfer.blockBytes > transfer.content.length) {
      this.transfers.delete(guestPort);
      return undefined;
    }
    return dataBlock(transfer, transfer.acknowledged + 1);
  }

  /** The file's bytes, or why there are none. */
  private readFile(name: string): Uint8Array | string {
    const relative = path.posix.normalize(`/${name.replaceAll('\\', '/')}`).slice(1);
    try {
      const root = fs.realpathSync(this.folder);
      const file = fs.realpathSync(path.join(root, relative));
      if (!file.startsWith(root + path.sep)) return 'outside the folder';
      const status = fs.statSync(file);
      if (!status.isFile() || status.size > greatestFileBytes) return 'no file that can be sent';
      return new Uint8Array(fs.readFileSync(file));
    } catch {
      return `${relative} not found`;
    }
  }
}

/** @param position counted from 1, not wrapped */
function dataBlock({ content, blockBytes, port }: Transfer, position: number): TftpAnswer {
  const data = content.subarray((position - 1) * blockBytes, position * blockBytes);
  const message = new Uint8Array(4 + data.length);
  write16(message, 0, operation.data);
  write16(message, 2, position & 0xffff);
  message.set(data, 4);
  return { port, message };
}

function failure(port: number, code: number, text: string): TftpAnswer {
  const bytes = new TextEncoder().encode(text);
  const message = new Uint8Array(5 + bytes.length);
  write16(message, 0, operation.error);
  write16(message, 2, code);
  message.set(bytes, 4);
  return { port, message };
}
