// Checksums, header positions and descriptions of frames, and that no bytes at all upset them. [RFC 1071, 791, 8200, 9293]
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { internetChecksum } from '../../../emulator/network/checksum';
import { describeFrame } from '../../../emulator/network/describe';
import { parseFrame, transportChecksumHolds } from '../../../emulator/network/packet';
import { echoRequest, ethernet, pattern, tagged, tcp, udp, type Ends } from '../../driver/frames';

const ends: Ends = {
  to: [0x52, 0x55, 10, 0, 2, 2],
  from: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
  source: [10, 0, 2, 15],
  destination: [10, 0, 2, 2],
};
const ends6: Ends = {
  ...ends,
  source: [0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), 1],
  destination: [0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), 2],
};

describe('checksum', () => {
  it('is the one of the example of RFC 1071', () => {
    assert.equal(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7)), 0x220d);
  });
  it('counts an odd last byte as a high byte', () => {
    assert.equal(internetChecksum(Uint8Array.of(0x12, 0x34, 0x56)), ~(0x1234 + 0x5600) & 0xffff);
  });
});

describe('frame', () => {
  it('is taken apart, tagged or not, over IPv4 and IPv6', () => {
    for (const one of [ends, ends6]) {
      for (const frame of [udp(one, 1000, 53, pattern(7)), tagged(udp(one, 1000, 53, pattern(7)), 5)]) {
        const packet = parseFrame(frame);
        assert.deepEqual(
          [packet?.transport?.kind, packet?.transport?.sourcePort, packet?.transport?.destinationPort],
          ['udp', 1000, 53],
        );
        assert.ok(packet?.internet !== undefined && packet.transport !== undefined);
        assert.ok(transportChecksumHolds(frame, packet.internet, packet.transport));
        const broken = frame.slice();
        broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
        assert.ok(!transportChecksumHolds(broken, packet.internet, packet.transport));
      }
    }
  });
  it('does not take padding for data', () => {
    const frame = new Uint8Array(60);
    frame.set(udp(ends, 1, 2, pattern(3)));
    assert.equal(parseFrame(frame)?.internet?.end, 14 + 20 + 8 + 3);
  });
  it('is described in a line', () => {
    assert.deepEqual(
      [
        tcp(ends, { sourcePort: 1024, destinationPort: 80, flags: 2 }),
        tcp(ends6, { sourcePort: 1024, destinationPort: 80, flags: 16 }, pattern(10)),
        echoRequest(ends, 1, pattern(8)),
        udp(ends, 68, 67, pattern(300)),
        tagged(udp(ends, 5000, 5001, pattern(1)), 7),
        ethernet(ends.to, ends.from, 0x88cc, pattern(40)),
        pattern(5),
      ].map(describeFrame),
      [
        'TCP 10.0.2.15:1024 → 10.0.2.2:80 SYN',
        'TCP [fe80::1]:1024 → [fe80::2]:80 ACK, 10 bytes',
        'ICMP echo request 10.0.2.15 → 10.0.2.2',
        'DHCP 10.0.2.15:68 → 10.0.2.2:67, 300 bytes',
        'VLAN 7 UDP 10.0.2.15:5000 → 10.0.2.2:5001, 1 byte',
        'EtherType 0x88cc',
        'no Ethernet header',
      ],
    );
  });
  it('of any bytes is taken apart without harm, and every header lies inside it', () => {
    const start = [udp(ends, 1, 2, pattern(20)), tcp(ends6, { sourcePort: 1, destinationPort: 2 }, pattern(20))];
    fc.assert(
      fc.property(
        fc.constantFrom(...start),
        fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }),
        fc.nat(100),
        (frame, changes, length) => {
          const bytes = frame.slice(0, length);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const { internet, transport } = parseFrame(bytes) ?? {};
          assert.equal(typeof describeFrame(bytes), 'string');
          if (internet === undefined) return;
          assert.ok(internet.offset + internet.headerBytes <= bytes.length && internet.end <= bytes.length);
          if (transport !== undefined) assert.ok(transport.offset + transport.headerBytes <= internet.end);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
