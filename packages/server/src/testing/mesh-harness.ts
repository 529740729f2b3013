import { nodeId, type NodeId, regionId, replicaId, SeededRandom } from '@skerry/base';
import { MemoryStorage, type PeerMessage, type Storage } from '@skerry/replica';
import { defaultPeerLimits, type PeerLimits } from '../limits.ts';
import { peerProtocolVersion, type PeerHello } from '../peers/handshake.ts';
import { Incarnations } from '../peers/incarnations.ts';
import { listenForPeers, type PeerListener } from '../peers/listener.ts';
import { PeerMesh } from '../peers/mesh.ts';
import { silentLog } from './logs.ts';

/** Memory that is durable at once. */
export function instantStorage(memory: MemoryStorage = new MemoryStorage()): Storage {
  return {
    get: (key) => memory.get(key),
    scan: (range) => memory.scan(range),
    view: () => memory.view(),
    submit: async (batch) => {
      memory.enqueue(batch);
      memory.flushOne();
    },
    close: async () => {},
  };
}

export interface TestNode {
  readonly node: NodeId;
  readonly mesh: PeerMesh;
  readonly listener: PeerListener;
  readonly url: string;
  /** `up b`, `down b reset`, … */
  readonly events: string[];
  readonly received: { from: NodeId; message: PeerMessage }[];
  /** Called when a peer is up. */
  onUp: () => void;
  stop(): void;
}

/** A mesh that listens at a free port of loopback and dials nobody yet: see {@link introduce}. */
export async function startMeshNode(
  name: string,
  options: {
    readonly hello?: Partial<PeerHello>;
    readonly limits?: Partial<PeerLimits>;
    readonly storage?: Storage;
    readonly seed?: number;
  } = {},
): Promise<TestNode> {
  const node = nodeId(name);
  const events: string[] = [];
  const received: TestNode['received'] = [];
  const limits = { ...defaultPeerLimits, ...options.limits };
  let mesh: PeerMesh | null = null;
  const listener = await listenForPeers({ host: '127.0.0.1', port: 0, limits, mesh: () => mesh, link: () => null });
  const made = new PeerMesh({
    own: {
      peerProtocolVersion,
      cluster: 'test',
      region: regionId('region-1'),
      node,
      replica: replicaId(name.charCodeAt(0)),
      partitionCount: 1,
      process: `${name.charCodeAt(0).toString(16)}00000000000000`,
      ...options.hello,
    },
    contacts: [],
    incarnations: new Incarnations(options.storage ?? instantStorage()),
    limits,
    events: {
      peerUp: (peer) => {
        events.push(`up ${peer}`);
        testNode.onUp();
      },
      peerDown: (peer, reset) => events.push(`down ${peer}${reset ? ' reset' : ''}`),
      receive: (from, messages) => received.push(...messages.map((message) => ({ from, message }))),
      fail: (cause) => events.push(`fail ${String(cause)}`),
    },
    random: new SeededRandom(options.seed ?? 1),
    log: silentLog(),
  });
  mesh = made;
  const testNode: TestNode = {
    node,
    mesh: made,
    onUp: () => {},
    listener,
    url: `ws://127.0.0.1:${listener.port}`,
    events,
    received,
    stop: () => {
      made.stop();
      listener.close();
    },
  };
  return testNode;
}

/** `dialler` learns where `others` listen, and dials. */
export function introduce(dialler: TestNode, ...others: { readonly node: NodeId; readonly url: string }[]): void {
  dialler.mesh.setDirectory(
    others.map(({ node, url }) => ({ node, role: 'voter', peerUrl: url, clientUrl: '', adminUrl: '', replica: null })),
  );
}
