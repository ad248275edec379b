// A name server that asks the host's resolver. It knows addresses (A) and, backwards, names (PTR). [RFC 1035]
// Guarantees: answers every well-formed query with one question; names of the host itself give the gateway's address.
import * as dns from 'node:dns/promises';
import { read16, write16 } from '../../../emulator/network/packet';
import { domainName, gatewayAddress } from './addresses';

const headerBytes = 12;
const recordType = { A: 1, PTR: 12, AAAA: 28 } as const;
const internetClass = 1;
const responseCode = { ok: 0, format: 1, failure: 2, noName: 3, notImplemented: 4 } as const;
const flag = { response: 0x8000, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const;
const timeToLive = 30;
/** Longest answer without extensions. [RFC 1035, 2.3.4] */
const longestAnswer = 512;

export interface Resolver {
  /** Dotted addresses. */
  addresses(name: string): Promise<readonly string[]>;
  names(address: string): Promise<readonly string[]>;
}

export const hostResolver: Resolver = {
  addresses: async (name) => (await dns.lookup(name, { family: 4, all: true })).map(({ address }) => address),
  names: (address) => dns.reverse(address),
};

interface Question {
  readonly name: string;
  readonly type: number;
  readonly ofClass: number;
  readonly end: number;
}

/** Undefined: no query. Never rejects. */
export async function answerDns(query: Uint8Array, resolver: Resolver): Promise<Uint8Array | undefined> {
  if (query.length < headerBytes || (read16(query, 2) & flag.response) !== 0) return undefined;
  const question = (read16(query, 2) & 0x7800) === 0 && read16(query, 4) === 1 ? readQuestion(query) : undefined;
  if (question === undefined) return reply(query, headerBytes, 0, responseCode.format, []);
  const { name, type, ofClass, end } = question;
  try {
    if (ofClass !== internetClass) return reply(query, end, 1, responseCode.notImplemented, []);
    if (type === recordType.A) return reply(query, end, 1, responseCode.ok, await addressRecords(name, resolver));
    // The user network speaks IPv4 only, so a name has no such address here.
    if (type === recordType.AAAA) return reply(query, end, 1, responseCode.ok, []);
    if (type !== recordType.PTR) return reply(query, end, 1, responseCode.notImplemented, []);
    const backwards = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/i.exec(name);
    if (backwards === null) return reply(query, end, 1, responseCode.noName, []);
    const names = await resolver.names(backwards.slice(1).reverse().join('.'));
    return reply(
      query,
      end,
      1,
      responseCode.ok,
      names.slice(0, 1).map((each) => record(recordType.PTR, encodeName(each))),
    );
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const none = code === 'ENOTFOUND' || code === 'ENODATA';
    return reply(query, end, 1, none ? responseCode.noName : responseCode.failure, []);
  }
}

async function addressRecords(name: string, resolver: Resolver): Promise<Uint8Array[]> {
  const own = name.toLowerCase() === `gateway.${domainName}`;
  const found = own ? [gatewayAddress.join('.')] : await resolver.addresses(name);
  // On the guest, the host's loopback address would mean the guest itself.
  const meant = found.map((address) =>
    address.startsWith('127.') ? [...gatewayAddress] : address.split('.').map(Number),
  );
  return meant.slice(0, 16).map((address) => record(recordType.A, Uint8Array.from(address)));
}

/** Names are read without compression, which a question never needs. */
function readQuestion(query: Uint8Array): Question | undefined {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > query.length || at - headerBytes > 255) return undefined;
    labels.push(String.fromCharCode(...query.subarray(at, at + length)));
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return { name: labels.join('.'), type: read16(query, at), ofClass: read16(query, at + 2), end: at + 4 };
}

function encodeName(name: string): Uint8Array {
  const labels = name.split('.').filter((label) => label !== '' && label.length < 64);
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0]);
}

/** The name is that of the question, by reference. */
function record(type: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  write16(bytes, 0, 0xc000 | headerBytes);
  write16(bytes, 2, type);
  write16(bytes, 4, internetClass);
  write16(bytes, 8, timeToLive);
  write16(bytes, 10, data.length);
  bytes.set(data, 12);
  return bytes;
}

function reply(
  query: Uint8Array,
  end: number,
  questions: number,
  code: number,
  records: readonly Uint8Array[],
): Uint8Array {
  const fitting: Uint8Array[] = [];
  let length = end;
  for (const each of records) {
    if (length + each.length > longestAnswer) break;
    fitting.push(each);
    length += each.length;
  }
  const bytes = new Uint8Array(length);
  bytes.set(query.subarray(0, end));
  const desired = read16(query, 2) & flag.recursionDesired;
  write16(bytes, 2, flag.response | desired | flag.recursionAvailable | code);
  write16(bytes, 4, questions);
  write16(bytes, 6, fitting.length);
  write16(bytes, 8, 0);
  write16(bytes, 10, 0);
  let at = end;
  for (const each of fitting) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}
