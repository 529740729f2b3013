import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeId, regionId, SeededRandom } from '@skerry/base';
import type { LinkEndpoint, LinkEndpointOptions, LinkHarness } from '@skerry/replica/testing';
import { WebSocket } from 'ws';
import { DirectLink } from '../direct-link.ts';
import { helloHeader, linkPath, linkProtocolVersion, wantedHeader } from '../hello.ts';
import type { DirectLinkLimits } from '../limits.ts';
import { Proxy } from './proxy.ts';

type Sizes = Pick<DirectLinkLimits, 'frameBytesMax' | 'unsentBytesMax'>;
const smallSizes: Sizes = { frameBytesMax: 256 * 1_024, unsentBytesMax: 2 * 1_024 * 1_024 };

export interface DirectEndpoint extends LinkEndpoint {
  readonly link: DirectLink;
  readonly proxy: Proxy;
  readonly node: string;
  readonly notes: string[];
}

export interface StartOptions extends LinkEndpointOptions {
  readonly cluster?: string;
  readonly partitionCount?: number;
  readonly limits?: Partial<DirectLinkLimits>;
}

/** Direct links at free ports of loopback, each behind a proxy of its own. */
export class DirectHarness implements LinkHarness {
  readonly frameBytesMax: number;
  readonly unsentBytesMax: number;
  readonly #endpoints: DirectEndpoint[] = [];
  readonly #servers: Server[] = [];
  readonly #slowDiallers = new Set<string>();
  #seed = 1;
  readonly faults: LinkHarness['faults'] = {
    garbage: (to) => this.#garbage(to),
    slowReader: (of) => {
      const { proxy, node, region } = of as DirectEndpoint;
      proxy.inwardRate = Proxy.slowRate;
      this.#slowDiallers.add(`${region}/${node}`);
      return () => {
        proxy.inwardRate = null;
        this.#slowDiallers.delete(`${region}/${node}`);
      };
    },
  };

  constructor({ frameBytesMax, unsentBytesMax }: Sizes = smallSizes) {
    this.frameBytesMax = frameBytesMax;
    this.unsentBytesMax = unsentBytesMax;
  }

  async start(options: StartOptions): Promise<DirectEndpoint> {
    const notes: string[] = [];
    const link = new DirectLink({
      cluster: options.cluster ?? 'test',
      region: options.region,
      node: nodeId(options.node),
      partitionCount: options.partitionCount ?? 1,
      limits: { frameBytesMax: this.frameBytesMax, unsentBytesMax: this.unsentBytesMax, ...options.limits },
      random: new SeededRandom(this.#seed++),
      events: options.events,
      note: (fields, text) => notes.push(`${text} ${JSON.stringify(fields)}`),
    });
    const server = createServer();
    server.on('upgrade', (request, socket, head) => link.handleUpgrade(request, socket, head));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    const proxy = await Proxy.listen({
      target: (server.address() as AddressInfo).port,
      port: options.inPlaceOf === undefined ? 0 : Number(new URL(options.inPlaceOf.url).port),
      slowDiallers: this.#slowDiallers,
    });
    const endpoint: DirectEndpoint = {
      region: options.region,
      node: options.node,
      link,
      proxy,
      notes,
      url: `ws://127.0.0.1:${proxy.port}`,
      crash: async () => {
        link.terminate();
        server.close();
        await proxy.close();
      },
    };
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** Dials `to` by hand, with this hello of a node of `region`; the socket is the caller's. */
  dial(to: LinkEndpoint, region: string, hello: object | string = {}, wanted: string = to.region): WebSocket {
    const whole = {
      linkProtocolVersion,
      cluster: 'test',
      region,
      node: 'forger',
      partitionCount: 1,
      frameBytesMax: 1_000,
    };
    const text = typeof hello === 'string' ? hello : JSON.stringify({ ...whole, ...hello });
    const socket = new WebSocket(new URL(linkPath, to.url), {
      headers: { [helloHeader]: text, [wantedHeader]: wanted },
    });
    socket.on('error', () => {});
    return socket;
  }

  async #garbage(to: LinkEndpoint): Promise<void> {
    const known = (to as DirectEndpoint).link.routes()[0]?.region ?? regionId('region-1');
    const socket = this.dial(to, known);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    // A frame that is whole, then one that is not: neither may be delivered.
    socket.send(Buffer.from([0, 0, 0, 1, 65, 0, 0, 0, 5, 1]));
    await closed;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    await Promise.all(
      this.#endpoints.map(async ({ link, proxy }) => {
        link.terminate();
        await proxy.close().catch(() => {});
      }),
    );
  }
}
