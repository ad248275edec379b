// The user network: ARP, DHCP, DNS, ping, TFTP, UDP and TCP against real sockets of this host, and frames from a hostile guest.
// [RFC 826, 2131, 1035, 792, 1350, 768, 9293]
import assert from 'node:assert/strict';
import * as dgram from 'node:dgram';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { parseFrame, read16, transportChecksumHolds, write16, write32 } from '../../../../emulator/network/packet';
import { broadcast, echoRequest, ethernet, pattern, tagged, tcp, udp } from '../../../driver/frames';
import { datagram, gatewayLink, guestLink, GuestStream, NetworkGuest, toGateway, until } from './guest';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

function guest(options: ConstructorParameters<typeof NetworkGuest>[0] = {}): NetworkGuest {
  const made = new NetworkGuest(options);
  closers.push(() => made.network.close());
  return made;
}

/** A server on the host's loopback; its port. */
async function serve(handler: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    closers.push(() => socket.destroy());
    handler(socket);
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('ARP', () => {
  const request = (target: readonly number[]): Uint8Array => {
    const message = new Uint8Array(28);
    message.set([0, 1, 8, 0, 6, 4, 0, 1, ...guestLink, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, ...target]);
    return ethernet(broadcast, guestLink, 0x0806, message);
  };
  it('finds gateway and name server and nobody else', () => {
    const g = guest();
    for (const last of [2, 3, 4, 15]) g.send(request([10, 0, 2, last]));
    const answers = g.take();
    assert.equal(answers.length, 2);
    assert.deepEqual([...(answers[0] ?? []).slice(0, 12)], [...guestLink, ...gatewayLink]);
    assert.deepEqual(
      [...(answers[0] ?? []).slice(20, 42)],
      [0, 2, ...gatewayLink, 10, 0, 2, 2, ...guestLink, 10, 0, 2, 15],
    );
  });
});

describe('DHCP', () => {
  const message = (type: number, options: readonly number[] = []): Uint8Array => {
    const bytes = new Uint8Array(300);
    bytes.set([1, 1, 6, 0, 0xaa, 0xbb, 0xcc, 0xdd]);
    bytes.set(guestLink, 28);
    write32(bytes, 236, 0x6382_5363);
    bytes.set([53, 1, type, ...options, 255], 240);
    return udp(
      { to: broadcast, from: guestLink, source: [0, 0, 0, 0], destination: [255, 255, 255, 255] },
      68,
      67,
      bytes,
    );
  };
  const typeOf = (frame: Uint8Array | undefined): number | undefined => datagram(frame)[242];

  it('sends no checksum where the sum is 0: a client that compares it with all ones would never see this acknowledgement', () => {
    const g = guest();
    const request = [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2];
    const checksumFor = (low: number): number => {
      const frame = message(3, request);
      const { internet, transport } = parseFrame(frame) ?? {};
      assert.ok(internet !== undefined && transport !== undefined);
      // The transaction's number chooses the sum of the answer; the request goes without one.
      write16(frame, transport.offset + 8 + 6, low);
      write16(frame, transport.offset + 6, 0);
      g.send(frame);
      const [answer = new Uint8Array(0)] = g.take();
      assert.equal(typeOf(answer), 5);
      return read16(answer, (parseFrame(answer)?.transport?.offset ?? 0) + 6);
    };
    // One more in the transaction's number makes the complemented sum one less.
    const at0 = checksumFor(0);
    assert.equal(checksumFor(1), at0 - 1);
    assert.equal(checksumFor(at0), 0);
  });

  it('offers and gives the address, with gateway and name server', () => {
    const g = guest({ bootFile: 'kernel.img' });
    g.send(message(1));
    const [offer] = g.take();
    assert.equal(typeOf(offer), 2);
    g.send(message(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]));
    const [acknowledgement] = g.take();
    const bytes = datagram(acknowledgement);
    assert.equal(typeOf(acknowledgement), 5);
    assert.deepEqual([...bytes.slice(4, 8), ...bytes.slice(16, 20)], [0xaa, 0xbb, 0xcc, 0xdd, 10, 0, 2, 15]);
    const text = [...bytes.slice(240)].join();
    for (const option of ['1,4,255,255,255,0', '3,4,10,0,2,2', '6,4,10,0,2,3'])
      assert.ok(text.includes(option), option);
    assert.equal(String.fromCharCode(...bytes.slice(108, 118)), 'kernel.img');
    assert.deepEqual([...(acknowledgement ?? []).slice(0, 6)], broadcast);
  });
  it('refuses another address, and leaves requests to other servers alone', () => {
    const g = guest();
    g.send(message(3, [50, 4, 10, 0, 2, 99]));
    assert.equal(typeOf(g.take()[0]), 6);
    g.send(message(3, [50, 4, 10, 0, 2, 15, 54, 4, 192, 168, 1, 1]));
    assert.deepEqual(g.take(), []);
  });
});

describe('ping', () => {
  it('is answered by the gateway, in fragments when it is long, and prohibited beyond it', () => {
    const g = guest();
    g.send(echoRequest(toGateway, 7, pattern(56)));
    const [reply] = g.take();
    assert.deepEqual([reply?.[34], reply?.slice(42)], [0, pattern(56)]);
    const long = echoRequest(toGateway, 8, pattern(3000));
    for (const start of [2960, 0, 1480]) {
      const part = long.slice(34 + start, 34 + start + 1480);
      const fragment = Uint8Array.from([...long.slice(0, 34), ...part]);
      write16(fragment, 16, 20 + part.length);
      write16(fragment, 20, (start >> 3) | (start === 2960 ? 0 : 0x2000));
      g.send(fragment);
    }
    const replies = g.take();
    assert.deepEqual(
      replies.map((frame) => frame.length),
      [1514, 1514, 34 + 48],
    );
    assert.deepEqual(Uint8Array.from(replies.flatMap((frame) => [...frame.slice(34)])).slice(8), pattern(3000));
    g.send(echoRequest({ ...toGateway, destination: [93, 184, 216, 34] }, 7, pattern(56)));
    assert.deepEqual([...(g.take()[0] ?? []).slice(34, 36)], [3, 13]);
    g.send(echoRequest({ ...toGateway, destination: [10, 0, 2, 99] }, 7, pattern(56)));
    assert.deepEqual(g.take(), []);
  });
});

describe('DNS', () => {
  const query = (name: string, type: number): Uint8Array => {
    const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
    const bytes = new Uint8Array(12 + labels.length + 5);
    bytes.set([0x12, 0x34, 1, 0, 0, 1]);
    bytes.set([...labels, 0, 0, type, 0, 1], 12);
    return udp({ ...toGateway, destination: [10, 0, 2, 3] }, 5353, 53, bytes);
  };
  const resolver = {
    addresses: (name: string) =>
      name === 'two.example'
        ? Promise.resolve(['192.0.2.1', '127.0.0.1'])
        : Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    names: () => Promise.resolve(['back.example']),
  };
  const ask = async (name: string, type: number): Promise<Uint8Array> => {
    const g = guest({ resolver });
    g.send(query(name, type));
    assert.ok(g.network.isBusy);
    await until(() => g.frames.length > 0, 'an answer');
    assert.ok(!g.network.isBusy);
    return datagram(g.take()[0]);
  };
  it('asks the host, and gives the gateway for the host itself', async () => {
    const answer = await ask('two.example', 1);
    assert.deepEqual([read16(answer, 0), (answer[3] ?? 0) & 15, read16(answer, 6)], [0x1234, 0, 2]);
    assert.deepEqual([...answer.slice(-4)], [10, 0, 2, 2]);
    assert.deepEqual([...answer.slice(-20, -16)], [192, 0, 2, 1]);
  });
  it('answers that there is none, or that it cannot', async () => {
    assert.deepEqual(((await ask('none.example', 1))[3] ?? 0) & 15, 3);
    const six = await ask('two.example', 28);
    assert.deepEqual([(six[3] ?? 0) & 15, read16(six, 6)], [0, 0]);
    assert.equal(((await ask('two.example', 15))[3] ?? 0) & 15, 4);
    assert.equal(read16(await ask('1.2.0.192.in-addr.arpa', 12), 6), 1);
    assert.deepEqual([...(await ask('gateway.ringside.internal', 1)).slice(-4)], [10, 0, 2, 2]);
  });
});

describe('TFTP', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringside-tftp-'));
  const outside = `${folder}-secret`;
  fs.writeFileSync(outside, 'secret');
  fs.writeFileSync(path.join(folder, 'kernel.bin'), pattern(1300));
  fs.symlinkSync(outside, path.join(folder, 'link'));
  after(() => {
    fs.rmSync(folder, { recursive: true });
    fs.rmSync(outside);
  });
  const read = (name: string, ...options: string[]): Uint8Array =>
    udp(
      toGateway,
      2000,
      69,
      Buffer.concat([Buffer.of(0, 1), Buffer.from([name, 'octet', ...options, ''].join('\0'), 'latin1')]),
    );
  const acknowledge = (g: NetworkGuest, port: number, block: number): Uint8Array => {
    const bytes = Uint8Array.of(0, 4, 0, 0);
    write16(bytes, 2, block);
    g.send(udp(toGateway, 2000, port, bytes));
    return datagram(g.take()[0]);
  };

  it('sends a file in blocks of the size that was agreed', () => {
    const g = guest({ tftpFolder: folder });
    g.send(read('kernel.bin', 'blksize', '1000', 'tsize', '0'));
    const [frame] = g.take();
    assert.equal(Buffer.from(datagram(frame)).toString('latin1'), '\0\x06blksize\x001000\0tsize\x001300\0');
    const port = read16(frame ?? new Uint8Array(0), 34);
    const blocks = [acknowledge(g, port, 0), acknowledge(g, port, 1)];
    assert.deepEqual(
      blocks.map((block) => [read16(block, 2), block.length - 4]),
      [
        [1, 1000],
        [2, 300],
      ],
    );
    assert.deepEqual(Uint8Array.from(blocks.flatMap((block) => [...block.slice(4)])), pattern(1300));
    assert.equal(acknowledge(g, port, 2).length, 0);
  });
  it('repeats a block whose acknowledgement comes twice', () => {
    const g = guest({ tftpFolder: folder });
    g.send(read('kernel.bin'));
    const [frame] = g.take();
    assert.equal(datagram(frame).length, 516);
    const port = read16(frame ?? new Uint8Array(0), 34);
    assert.deepEqual(acknowledge(g, port, 1), acknowledge(g, port, 1));
  });
  it('never leaves its folder and takes no files', () => {
    const g = guest({ tftpFolder: folder });
    for (const name of ['../' + path.basename(outside), outside, 'link', '', '.', 'none', '..\\..\\etc\\passwd']) {
      g.send(read(name));
      assert.equal(read16(datagram(g.take()[0]), 0), 5, name);
    }
    g.send(udp(toGateway, 2000, 69, Buffer.from('\0\x02kernel.bin\0octet\0', 'latin1')));
    assert.equal(read16(datagram(g.take()[0]), 0), 5);
  });
});

describe('UDP', () => {
  it('goes through a socket of the host and comes back, in fragments when it is long', async () => {
    const server = dgram.createSocket('udp4');
    closers.push(() => server.close());
    server.on('message', (bytes, from) => server.send(Buffer.concat([bytes, pattern(2500)]), from.port, from.address));
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
    const g = guest();
    g.send(udp(toGateway, 5000, server.address().port, Buffer.from('ask')));
    assert.ok(g.network.isBusy);
    await until(() => g.frames.length === 2, 'an answer');
    assert.ok(!g.network.isBusy);
    const parts = g.take();
    const payload = Uint8Array.from(parts.flatMap((frame) => [...frame.slice(34)]));
    assert.deepEqual(
      parts.map((frame) => read16(frame, 20)),
      [0x2000, 1480 / 8],
    );
    assert.deepEqual(payload.slice(8), Uint8Array.from([...Buffer.from('ask'), ...pattern(2500)]));
  });
});

describe('TCP', () => {
  it('carries bytes both ways and closes in both orders', async () => {
    for (const first of ['guest', 'host'] as const) {
      const heard: Buffer[] = [];
      let ended = false;
      const port = await serve((socket) => {
        socket.on('data', (bytes) => heard.push(bytes));
        socket.on('end', () => {
          ended = true;
          socket.end('bye');
        });
        socket.write('hello');
        if (first === 'host') socket.end();
      });
      const g = guest();
      const stream = new GuestStream(g, port);
      stream.connect();
      const polled = (condition: () => boolean, what: string): Promise<void> =>
        until(() => {
          stream.poll();
          return condition();
        }, what);
      await polled(() => stream.state === 'open', 'a connection');
      await polled(() => stream.received.length >= 5, 'the greeting');
      stream.write(pattern(5000));
      if (first === 'host') await polled(() => stream.finished, 'the end of the host');
      stream.finish();
      await polled(() => ended && stream.finished && stream.sentAll, 'the end');
      assert.equal(String.fromCharCode(...stream.received), first === 'guest' ? 'hellobye' : 'hello');
      assert.deepEqual(new Uint8Array(Buffer.concat(heard)), pattern(5000));
      await until(() => !g.network.isBusy, 'nothing left');
    }
  });
  it('refuses what nobody listens to, and segments of no connection', async () => {
    const port = await serve(() => undefined);
    const g = guest();
    const closed = new GuestStream(g, port === 1 ? 2 : 1);
    closed.connect();
    await until(() => {
      closed.poll();
      return closed.state === 'reset';
    }, 'a refusal');
    g.send(tcp({ ...toGateway, destination: [10, 0, 2, 77] }, { sourcePort: 1, destinationPort: 80, flags: 2 }));
    g.send(
      tcp(toGateway, { sourcePort: 9, destinationPort: port, sequence: 5, acknowledgement: 99, flags: 16 }, pattern(3)),
    );
    const answers = g.take();
    assert.deepEqual(
      answers.map((frame) => frame[47]),
      [20, 4],
    );
    assert.ok(!g.network.isBusy);
  });
  it('lets go of the host when the guest resets', async () => {
    let gone = false;
    const port = await serve((socket) => socket.on('close', () => (gone = true)));
    const g = guest();
    const stream = new GuestStream(g, port);
    stream.connect();
    await until(() => {
      stream.poll();
      return stream.state === 'open';
    }, 'a connection');
    stream.reset();
    await until(() => gone && !g.network.isBusy, 'the end');
  });
  it('keeps to the window and the segment size of the guest', async () => {
    const port = await serve((socket) => socket.end(pattern(20_000)));
    const g = guest();
    const stream = new GuestStream(g, port, toGateway, 40_000, 900);
    stream.connect([2, 4, 1, 0x2c]);
    const lengths: number[] = [];
    await until(() => {
      let inFlight = 0;
      for (const frame of g.frames) {
        const { transport, internet } = parseFrame(frame) ?? {};
        assert.ok(
          transport !== undefined && internet !== undefined && transportChecksumHolds(frame, internet, transport),
        );
        const length = internet.end - transport.offset - transport.headerBytes;
        inFlight += length;
        lengths.push(length);
      }
      assert.ok(inFlight <= 900);
      stream.poll();
      return stream.finished;
    }, 'everything');
    assert.deepEqual(Uint8Array.from(stream.received), pattern(20_000));
    assert.ok(Math.max(...lengths) <= 300);
  });
  it('loses nothing when frames to the guest are lost', async () => {
    const port = await serve((socket) => socket.end(pattern(30_000)));
    const g = guest();
    const stream = new GuestStream(g, port);
    stream.connect();
    await until(() => {
      stream.poll();
      return stream.state === 'open';
    }, 'a connection');
    let count = 0;
    g.loses = () => count++ === 1;
    await until(() => {
      stream.poll();
      return stream.finished;
    }, 'everything');
    assert.deepEqual(Uint8Array.from(stream.received), pattern(30_000));
  });
});

describe('hostile frames', () => {
  const starts = [
    ethernet(broadcast, guestLink, 0x0806, pattern(28)),
    udp(toGateway, 68, 67, pattern(300)),
    udp(toGateway, 2000, 69, Buffer.from('\0\x01name\0octet\0blksize\x0099999999\0', 'latin1')),
    udp({ ...toGateway, destination: [10, 0, 2, 3] }, 1, 53, pattern(40)),
    echoRequest(toGateway, 1, pattern(20)),
    tcp(
      { ...toGateway, destination: [10, 0, 2, 50] },
      { sourcePort: 1, destinationPort: 2, flags: 2, options: [2, 0, 3, 0] },
      pattern(5),
    ),
    tagged(udp(toGateway, 1, 2, pattern(9)), 3),
    ...[0, 1, 2].map((part) => {
      const fragment = udp(toGateway, 1, 2, pattern(72));
      write16(fragment, 20, (part * 10) | (part === 2 ? 0 : 0x2000));
      return fragment;
    }),
  ];
  it('never upset it, and what it answers is well formed', () => {
    const sockets: net.Socket[] = [];
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(starts.length - 1),
            fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 }),
            fc.nat(400),
          ),
          { minLength: 1, maxLength: 20 },
        ),
        (steps) => {
          const g = new NetworkGuest({
            tftpFolder: os.tmpdir(),
            resolver: { addresses: () => Promise.resolve([]), names: () => Promise.resolve([]) },
            connect: () => {
              const socket = new net.Socket();
              sockets.push(socket);
              return socket;
            },
          });
          for (const [which, changes, length] of steps) {
            const frame = (starts[which] ?? new Uint8Array(0)).slice(0, length);
            // Destinations outside stay what they are: nothing leaves this host.
            for (const [at, value] of changes) if (at < frame.length && (at < 30 || at > 33)) frame[at] = value;
            g.send(frame);
          }
          for (const frame of g.take()) assert.ok(parseFrame(frame) !== undefined);
          g.network.close();
        },
      ),
      // Fragments that are as long as the last one says, with a hole between them.
      {
        numRuns: 500,
        examples: [
          [
            [
              [7, [[20, 1]], 114],
              [9, [], 34],
              [7, [], 114],
            ],
          ],
        ],
      },
    );
    for (const socket of sockets) socket.destroy();
  });
  it('of one connection never upset it', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            flags: fc.nat(255),
            sequence: fc.nat(40).map((n) => (n + 90) >>> 0),
            acknowledgement: fc.oneof(
              fc.nat(40).map((n) => n + 0x1000),
              fc.nat(),
            ),
            window: fc.constantFrom(0, 1, 100, 0xffff),
            length: fc.nat(30),
            host: fc.constantFrom('connect', 'data', 'end', 'drain', 'error', 'nothing'),
          }),
          { maxLength: 40 },
        ),
        (steps) => {
          const socket = new net.Socket();
          socket.write = () => true;
          socket.end = () => socket;
          const g = new NetworkGuest({ connect: () => socket });
          const segment = { sourcePort: 1, destinationPort: 2 };
          g.send(tcp(toGateway, { ...segment, sequence: 99, flags: 2 }));
          for (const { host, length, ...fields } of steps) {
            if (host === 'data') socket.emit('data', Buffer.from(pattern(100)));
            else if (host === 'error') socket.emit('error', new Error('gone'));
            else if (host !== 'nothing') socket.emit(host);
            g.send(tcp(toGateway, { ...segment, ...fields }, pattern(length)));
          }
          for (const frame of g.take()) assert.ok(parseFrame(frame)?.transport !== undefined);
          g.network.close();
        },
      ),
      { numRuns: 1000 },
    );
  });
});
