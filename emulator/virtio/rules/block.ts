// Rules of block requests, judged on the chain as it is published. [virtio 1.4, 5.2.5.1, 5.2.6, 5.2.6.1]
import type { ChainElement } from '../../record/events';
import {
  blockIdBytes,
  blockFeature,
  blockRangeSegment,
  blockRequestHeader,
  blockRequestType,
  blockRequestTypes,
  sectorBytes,
  unmapFlag,
} from '../spec/block';
import { deviceId } from '../spec/device-id';
import { featureName, hasFeature } from '../spec/feature';
import { status } from '../spec/status';
import type { Evidence } from '../violation';
import { type BlockRequest, readBlockRequest, readRanges } from './block-request';
import { elementFinding, elementPlace, type Publish } from './chain-evidence';
import { hex, seen } from './evidence';
import { type Finding, rule, type Rule, type RuleContext, type RuleTexts } from './rule';

type RequestTexts = Pick<RuleTexts, 'id' | 'title' | 'why' | 'fix' | 'level' | 'covers'> &
  Partial<Pick<RuleTexts, 'section' | 'blames' | 'follows'>>;
type Judge = (
  request: BlockRequest,
  at: RuleContext,
  fact: Publish,
) => undefined | string | readonly [string, ChainElement | undefined];

const { IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES, SECURE_ERASE } = blockRequestType;
const withRanges: readonly (number | undefined)[] = [DISCARD, WRITE_ZEROES, SECURE_ERASE];

/** A rule about each request that is published. A message with an element is blamed on the store of that element's length. */
function requestRule(texts: RequestTexts, judge: Judge): Rule {
  return rule('block', {
    section: '5.2.6.1',
    blames: 'publish',
    ...texts,
    // A ring that shows the device what was never meant as a request is the cause of odd requests.
    follows: ['ring.*', 'ownership.*', ...(texts.follows ?? [])],
    needs: { device: deviceId.block },
    on: ['publish'],
    broken: (fact, at) => {
      const findings: Finding[] = [];
      for (const chain of fact.chains) {
        if (chain.defects.some(({ kind }) => kind !== 'zero-length')) continue;
        const request = readBlockRequest(chain, at.memory);
        const found = judge(request, at, fact);
        if (found !== undefined) findings.push(requestFinding(request, found, at, fact));
      }
      return findings;
    },
  });
}

function requestFinding(
  request: BlockRequest,
  found: string | readonly [string, ChainElement | undefined],
  at: RuleContext,
  fact: Publish,
): Finding {
  const [message, element] = typeof found === 'string' ? [found, undefined] : found;
  const text = `Queue ${fact.queue}, chain ${request.chain.head}: ${message}.`;
  const evidence: readonly Evidence[] = [
    seen('request', request.typeName),
    seen('sector', request.sector),
    seen('device-readable bytes', request.readableBytes),
    seen('device-writable bytes', request.writableBytes),
  ];
  if (element !== undefined) {
    const finding = elementFinding(fact, at, request.chain, element, 'len', text);
    return { ...finding, evidence: [...evidence, ...finding.evidence] };
  }
  const first = request.chain.elements[0];
  return {
    message: text,
    evidence,
    place:
      first === undefined
        ? {
            kind: 'descriptor',
            queue: fact.queue,
            index: request.chain.packed === undefined ? request.chain.head : request.chain.slot,
          }
        : elementPlace(fact.queue, first, 'addr'),
  };
}

/** The last element of one direction. */
function lastOf({ chain }: BlockRequest, deviceWritable: boolean): ChainElement | undefined {
  return [...chain.elements].reverse().find((element) => element.deviceWritable === deviceWritable);
}
/** The longest data element, which a wrong length most likely comes from. */
function dataElement(request: BlockRequest): ChainElement | undefined {
  const writable = request.type === IN || request.type === GET_ID;
  const candidates = request.chain.elements.filter((element) => element.deviceWritable === writable);
  return (writable ? candidates.slice(0, -1) : candidates.slice(1)).at(-1) ?? candidates.at(-1);
}

function capacityOf(at: RuleContext): bigint | undefined {
  return at.device.configValues.get('capacity');
}

/** The ranges a request touches, in sectors. */
function touched(
  request: BlockRequest,
  at: RuleContext,
): readonly { readonly sector: bigint; readonly sectors: bigint }[] {
  const { type, sector } = request;
  if (type === IN || type === OUT) {
    const bytes = type === IN ? request.dataIn : request.dataOut;
    return [{ sector, sectors: BigInt(Math.ceil(bytes / sectorBytes)) }];
  }
  if (!withRanges.includes(type)) return [];
  return readRanges(request, at.memory).map((range) => ({ sector: range.sector, sectors: BigInt(range.sectors) }));
}

/** A request with more ranges than a configuration field allows. */
function tooManyRanges(type: number, field: string): Judge {
  return (request, at) => {
    const limit = at.device.configValues.get(field);
    const count = Math.floor(request.dataOut / blockRangeSegment.size);
    if (request.type !== type || limit === undefined || BigInt(count) <= limit) return undefined;
    return `the request has ${count} segments, ${field} is ${limit}`;
  };
}

export const blockRules: readonly Rule[] = [
  requestRule(
    {
      id: 'block.header-short',
      title: 'Driver sent a block request without a whole header',
      why: 'A request starts with 16 device-readable bytes: type, reserved, sector. With fewer the device cannot tell what is asked and may give the queue up.',
      fix: 'Put the 16-byte header first, in a descriptor without VIRTQ_DESC_F_WRITE, and take its length from the structure, not from a pointer to it.',
      level: 'must',
      covers: [],
      section: '5.2.6',
      blames: 'descriptor store',
    },
    (request) =>
      request.readableBytes < blockRequestHeader.size
        ? [
            `only ${request.readableBytes} device-readable bytes, the header has ${blockRequestHeader.size}`,
            request.chain.elements[0],
          ]
        : undefined,
  ),
  requestRule(
    {
      id: 'block.no-status-byte',
      title: 'Driver sent a block request without room for the status',
      why: 'The device reports success or failure in the last device-writable byte. Without one it has nowhere to write.',
      fix: 'End the chain with a one-byte descriptor that has VIRTQ_DESC_F_WRITE.',
      level: 'must',
      covers: [],
      section: '5.2.6',
      blames: 'descriptor store',
    },
    (request) => (request.writableBytes === 0 ? ['no device-writable byte', request.chain.elements.at(-1)] : undefined),
  ),
  requestRule(
    {
      id: 'block.data-direction',
      title: 'Driver gave the data of a block request the wrong direction',
      why: 'For a read the data is device-writable, for everything that is sent it is device-readable. With the wrong flag the device moves nothing, and reports success.',
      fix: 'Set VIRTQ_DESC_F_WRITE on the data of reads only, and always on the status byte.',
      level: 'must',
      covers: [],
      section: '5.2.6',
      blames: 'descriptor store',
      follows: ['block.header-short'],
    },
    (request) => {
      const known = blockRequestTypes.find(({ type }) => type === request.type);
      if (known === undefined || known.data === 'none' || request.writableBytes === 0) return undefined;
      if (known.data === 'from device' && request.dataOut > 0) {
        return [`${request.typeName} has ${request.dataOut} device-readable data bytes`, lastOf(request, false)];
      }
      if (known.data === 'to device' && request.dataIn > 0) {
        return [`${request.typeName} has ${request.dataIn} device-writable data bytes`, lastOf(request, true)];
      }
      return undefined;
    },
  ),
  requestRule(
    {
      id: 'block.data-length',
      title: 'Driver read or wrote a part of a sector',
      why: 'Reads and writes move whole sectors of 512 bytes, whatever blk_size says.',
      fix: 'Round the length to a multiple of 512; the status byte does not count.',
      level: 'must',
      covers: ['block.op.driver.6'],
      blames: 'descriptor store',
      follows: ['block.data-direction'],
    },
    (request) => {
      if (request.type !== IN && request.type !== OUT) return undefined;
      const bytes = request.type === IN ? request.dataIn : request.dataOut;
      return bytes % sectorBytes === 0
        ? undefined
        : [`${request.typeName} moves ${bytes} bytes, which is no multiple of ${sectorBytes}`, dataElement(request)];
    },
  ),
  requestRule(
    {
      id: 'block.beyond-capacity',
      title: 'Driver addressed sectors beyond the end of the disk',
      why: 'The device fails the request. The unit of sector is 512 bytes; a block number of another size has to be converted.',
      fix: 'Check sector and length against capacity before the request is sent.',
      level: 'must',
      covers: ['block.op.driver.2'],
    },
    (request, at) => {
      const capacity = capacityOf(at);
      const beyond = touched(request, at).find(
        ({ sector, sectors }) => capacity !== undefined && sector + sectors > capacity,
      );
      return beyond === undefined
        ? undefined
        : `${request.typeName} touches sectors ${beyond.sector} to ${beyond.sector + beyond.sectors - 1n}, the capacity is ${capacity ?? 0n}`;
    },
  ),
  requestRule(
    {
      id: 'block.flush-sector',
      title: 'Driver sent a flush with a sector',
      why: 'A flush concerns the whole disk; the sector has to be 0.',
      fix: 'Set sector to 0 in the header of VIRTIO_BLK_T_FLUSH.',
      level: 'must',
      covers: ['block.op.driver.4'],
    },
    (request) => (request.type === FLUSH && request.sector !== 0n ? `the sector is ${request.sector}` : undefined),
  ),
  requestRule(
    {
      id: 'block.flush-data',
      title: 'Driver sent data with a flush',
      why: 'A flush moves no data; what is there is ignored.',
      fix: 'Send only the header and the status byte.',
      level: 'should',
      covers: ['block.op.driver.5'],
    },
    (request) =>
      request.type === FLUSH && request.dataIn + request.dataOut > 0
        ? `the request carries ${request.dataIn + request.dataOut} data bytes`
        : undefined,
  ),
  requestRule(
    {
      id: 'block.segments-length',
      title: 'Driver sent a part of a segment',
      why: 'The data of discard, write zeroes and secure erase is an array of 16-byte segments.',
      fix: 'Set the length to 16 times the number of segments.',
      level: 'must',
      covers: ['block.op.driver.7'],
      blames: 'descriptor store',
    },
    (request) =>
      withRanges.includes(request.type) && request.dataOut % blockRangeSegment.size !== 0
        ? [
            `${request.typeName} carries ${request.dataOut} bytes, a segment has ${blockRangeSegment.size}`,
            dataElement(request),
          ]
        : undefined,
  ),
  requestRule(
    {
      id: 'block.id-length',
      title: 'Driver asked for the device id with a wrong length',
      why: 'The id has 20 bytes. With fewer it may be cut, with more the rest is not written.',
      fix: 'Give VIRTIO_BLK_T_GET_ID a data buffer of exactly 20 bytes.',
      level: 'must',
      covers: ['block.op.driver.8'],
      blames: 'descriptor store',
      follows: ['block.data-direction'],
    },
    (request) =>
      request.type === GET_ID && request.dataIn !== blockIdBytes
        ? [`room for ${request.dataIn} bytes, the id has ${blockIdBytes}`, dataElement(request)]
        : undefined,
  ),
  requestRule(
    {
      id: 'block.discard-segments',
      title: 'Driver sent a discard with too many segments',
      why: 'The device says in max_discard_seg how many it takes.',
      fix: 'Split the request.',
      level: 'must',
      covers: ['block.op.driver.9'],
    },
    tooManyRanges(DISCARD, 'max_discard_seg'),
  ),
  requestRule(
    {
      id: 'block.write-zeroes-segments',
      title: 'Driver sent a write zeroes request with too many segments',
      why: 'The device says in max_write_zeroes_seg how many it takes.',
      fix: 'Split the request.',
      level: 'must',
      covers: ['block.op.driver.11'],
    },
    tooManyRanges(WRITE_ZEROES, 'max_write_zeroes_seg'),
  ),
  requestRule(
    {
      id: 'block.unmap-in-discard',
      title: 'Driver set the unmap flag in a discard',
      why: 'The flag belongs to write zeroes; in a discard it is reserved and the device refuses the request.',
      fix: 'Set the flags of discard segments to 0.',
      level: 'must',
      covers: ['block.op.driver.14'],
    },
    (request, at) => {
      if (request.type !== DISCARD) return undefined;
      const segment = readRanges(request, at.memory).findIndex(({ flags }) => (flags & unmapFlag) !== 0);
      return segment < 0 ? undefined : `segment ${segment} has the unmap flag`;
    },
  ),
  requestRule(
    {
      id: 'block.request-not-negotiated',
      title: 'Driver sent a block request whose feature was not negotiated',
      why: 'The device answers such a request with VIRTIO_BLK_S_UNSUPP or does not know it at all.',
      fix: 'Accept the feature when it is offered, and do not send the request otherwise.',
      level: 'hazard',
      covers: [],
      section: '5.2.6',
    },
    (request, at) => {
      if (request.type === undefined) return undefined;
      const known = blockRequestTypes.find(({ type }) => type === request.type);
      if (known === undefined) return `request type ${request.type} is not defined`;
      if (known.feature === undefined || hasFeature(at.device.features.accepted, known.feature)) return undefined;
      return `${known.name} needs ${featureName(deviceId.block, known.feature)}, which was not negotiated`;
    },
  ),
  requestRule(
    {
      id: 'block.write-to-read-only',
      title: 'Driver wrote to a read-only disk',
      why: 'The device offers VIRTIO_BLK_F_RO and fails every request that would change the disk.',
      fix: 'Look at VIRTIO_BLK_F_RO and refuse writes in the driver.',
      level: 'hazard',
      covers: [],
      section: '5.2.6',
      follows: ['block.read-only-declined'],
    },
    (request, at) =>
      (request.type === OUT || withRanges.includes(request.type)) &&
      hasFeature(at.device.description.offered, blockFeature.RO)
        ? `${request.typeName} was sent`
        : undefined,
  ),
  rule('block', {
    id: 'block.writeback-read-early',
    title: 'Driver read writeback before FEATURES_OK',
    why: 'What writeback says depends on the features that are negotiated; before they are settled it may be wrong.',
    fix: 'Read the field after FEATURES_OK was confirmed.',
    level: 'must',
    blames: 'access',
    covers: ['block.init.driver.4'],
    section: '5.2.5.1',
    needs: { device: deviceId.block, interface: 'modern' },
    follows: ['init.config-before-driver'],
    on: ['config-read'],
    broken: (fact, at) =>
      fact.kind === 'config-read' &&
      fact.field === 'writeback' &&
      (at.device.handshake.written & status.FEATURES_OK) === 0 && {
        message: `writeback was read while Status is ${hex(at.device.handshake.status)}.`,
        evidence: [seen('status', hex(at.device.handshake.status))],
        place: { kind: 'config', offset: fact.offset, size: fact.size },
      },
  }),
];
