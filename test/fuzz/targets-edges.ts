import fc from 'fast-check';
import { replicaId, utf8Encode } from '../../packages/base/src/index.ts';
import { parseHistory, HistoryError } from '../../packages/checkers/src/index.ts';
import { helloHeader, linkProtocolVersion, readHello as readLinkHello } from '../../packages/link-direct/src/hello.ts';
import { checkMessage, encodeMessage, framesOf } from '../../packages/link-direct/src/framing.ts';
import { parsePong } from '../../packages/link-nats/src/frames/contact.ts';
import { decodeClientFrame, decodeServerFrame, encodeFrame } from '../../packages/protocol/src/codec.ts';
import { ProtocolError } from '../../packages/protocol/src/errors.ts';
import { parseReceipt } from '../../packages/protocol/src/receipt.ts';
import { clientMessages, serverMessages } from '../../packages/protocol/src/testing/arbitraries.ts';
import { parseTicket } from '../../packages/protocol/src/ticket.ts';
import { packWire, unpackWire, type Wire } from '../../packages/protocol/src/wire.ts';
import { decodePosition } from '../../packages/recipes/src/position.ts';
import { ConfigError, loadConfig } from '../../packages/server/src/config.ts';
import { CausalToken } from '../../packages/server/src/http/causal-token.ts';
import { HttpError } from '../../packages/server/src/http/problem.ts';
import { peerProtocolVersion, readHello as readPeerHello } from '../../packages/server/src/peers/handshake.ts';
import { decodeValue, encodeKey, encodeValue } from '../../packages/storage-lmdb/src/record.ts';
import { StorageCorruptError } from '../../packages/replica/src/index.ts';
import { mutateTree } from './lib/mutate.ts';
import { isDecodeError, ofBytes, ofText, type Target } from './lib/target.ts';

const isProtocolError = (error: unknown): boolean => error instanceof ProtocolError;
const never = (): boolean => false;

/** Frames of clients and servers, hellos, configuration, and the texts that callers hand back. */
export function edgeTargets(): Target[] {
  const clientFrames = fc
    .sample(clientMessages, { numRuns: 60, seed: 1 })
    .map((message) => Uint8Array.from(encodeFrame([message])));
  const serverFrames = fc
    .sample(serverMessages, { numRuns: 60, seed: 1 })
    .map((message) => Uint8Array.from(encodeFrame([message])));
  const storedKey = encodeKey('s/0000/0/k/a');
  return [
    ofBytes('client frame', clientFrames, (bytes) => decodeClientFrame(bytes), isProtocolError),
    ofBytes('server frame', serverFrames, (bytes) => decodeServerFrame(bytes), isProtocolError),
    ofWire('client message', clientFrames, (bytes) => decodeClientFrame(bytes)),
    ofWire('server message', serverFrames, (bytes) => decodeServerFrame(bytes)),
    ofBytes('message of a direct link', [encodeMessage([utf8Encode('one'), utf8Encode('two')], 6)], (bytes) => {
      const message = Buffer.from(bytes);
      checkMessage(message);
      return [...framesOf(message)];
    }),
    ofBytes(
      'stored record',
      [encodeValue(storedKey, utf8Encode('payload'))],
      (bytes) => decodeValue(storedKey, bytes),
      (error) => error instanceof StorageCorruptError,
    ),
    ...textTargets(),
    ...jsonTargets(),
  ];
}

function textTargets(): Target[] {
  return [
    ofText('receipt', ['r1:0:000000000065-3'], parseReceipt, never),
    ofText('ticket', [`r1:3:${'0'.repeat(32)}:17`], parseTicket, never),
    ofText(
      'session of an HTTP caller',
      ['0:65-3+66-1:67-9/2:65-3:', ''],
      (text) => CausalToken.parse(text, 4),
      (error) => error instanceof HttpError,
    ),
    ofText(
      'history',
      [
        'INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n',
        '{:process 0, :type :invoke, :f :put, :key "0", :value "x"}\n{:process 0, :type :ok, :f :put, :key "0", :value "x"}\n',
      ],
      parseHistory,
      (error) => error instanceof HistoryError,
    ),
    ofBytes('place in a log', [utf8Encode('{}')], (bytes) => tryPosition(bytes), isDecodeError),
  ];
}

/** It says itself what is none; a plain Error is its type. */
function tryPosition(bytes: Uint8Array): void {
  try {
    decodePosition(bytes);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) throw error;
  }
}

function jsonTargets(): Target[] {
  const peer = {
    peerProtocolVersion,
    cluster: 'skerry',
    region: 'r1',
    node: 'n2',
    replica: 7,
    partitionCount: 1,
    process: '0123456789abcdef',
  };
  const own = { ...peer, node: 'n1' as never, region: 'r1' as never, replica: replicaId(1) };
  const link = {
    linkProtocolVersion,
    cluster: 'skerry',
    region: 'r2',
    node: 'n1',
    partitionCount: 1,
    frameBytesMax: 1_000_000,
  };
  const config = {
    node: 'n1',
    region: 'r1',
    dataFolder: 'data',
    partitions: 4,
    peers: [{ node: 'n2', peerUrl: 'ws://h:1' }],
    bootstrap: ['n1', 'n2'],
    regions: [{ region: 'r2', urls: ['ws://h:2'] }],
    timing: { tickMs: 10 },
    limits: { keyBytesMax: 100 },
    link: 'nats',
    natsServers: ['nats://h:4222'],
    logLevel: 'info',
  };
  return [
    ofJson('hello of a peer', peer, (text) => readPeerHello(text, own), never),
    ofJson('hello of a link', link, (text) => readLinkHello({ [helloHeader]: text }, link as never), never),
    ofJson('answer to a ping over NATS', { node: 'n1', name: 'x', domain: null }, parsePong, never),
    ofJson(
      'configuration file',
      config,
      loadFile,
      (error) => error instanceof ConfigError || error instanceof SyntaxError,
    ),
  ];
}

/** Whoever reads the file makes sure that it holds an object. */
function loadFile(text: string): void {
  const file: unknown = JSON.parse(text);
  if (typeof file === 'object' && file !== null && !Array.isArray(file))
    loadConfig({ file: file as Record<string, unknown> });
}

/** Texts of JSON: mostly valid ones with something wrong in the tree. */
function ofJson(name: string, sample: object, decode: (text: string) => unknown, isTyped: Target['isTyped']): Target {
  const asText = ofText(name, [JSON.stringify(sample)], decode, isTyped);
  return {
    ...asText,
    draw: (random) => {
      if (random.uint32() % 3 === 0) return asText.draw(random);
      const text =
        JSON.stringify(mutateTree(random, random.uint32() % 2 === 0 ? sample : mutateTree(random, sample))) ?? 'null';
      return { run: () => void decode(text), shown: text.slice(0, 2_000) };
    },
  };
}

/** Frames that are MessagePack, with something wrong in the tree. */
function ofWire(name: string, samples: readonly Uint8Array[], decode: (bytes: Uint8Array) => unknown): Target {
  return {
    name,
    isTyped: isProtocolError,
    draw: (random) => {
      const wire = unpackWire(samples[random.uint32() % samples.length] as Uint8Array);
      const bytes = packWire(mutateTree(random, wire) as Wire);
      return { run: () => void decode(bytes), shown: Buffer.from(bytes.subarray(0, 4_000)).toString('hex') };
    },
  };
}
