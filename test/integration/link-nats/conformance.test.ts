import { nodeId, type RegionId } from '@skerry/base';
import { NatsLink } from '@skerry/link-nats';
import {
  describeLink,
  describeRegionsOverLink,
  type LinkEndpoint,
  type LinkEndpointOptions,
  type LinkFaults,
  type LinkHarness,
} from '@skerry/replica/testing';
import { afterAll, describe } from 'vitest';
import { Admin } from './admin.ts';
import { hasNatsServer, NatsServer, removeServers } from './nats-server.ts';
import { Relay } from './relay.ts';

interface Endpoint extends LinkEndpoint {
  readonly relay: Relay;
}

interface Limits {
  readonly bytesMax: number;
  readonly partBytesMax: number;
  readonly unsentBytesMax: number;
}

const smallLimits: Limits = { bytesMax: 256 * 1024, partBytesMax: 100_000, unsentBytesMax: 2 * 1024 * 1024 };
/** Room for all that a replica sends. */
const wideLimits: Limits = { ...smallLimits, bytesMax: 1024 * 1024 };

/** Links on one nats-server, each behind a relay of its own. */
class NatsHarness implements LinkHarness {
  readonly frameBytesMax: number;
  readonly unsentBytesMax: number;
  readonly #limits: Limits;
  readonly #server: NatsServer;
  readonly #admin: Admin;
  readonly #endpoints: Endpoint[] = [];
  readonly faults: LinkFaults = {
    garbage: async (to) => {
      this.#admin.send(`skerry.test.frame.${to.region}`, 'no header, no region');
    },
    slowReader: (of) => {
      const { relay } = of as Endpoint;
      relay.slow = true;
      return () => {
        relay.slow = false;
      };
    },
    log: {
      stall: async () => {
        for (const { relay } of this.#endpoints) relay.swallow = true;
        return async () => {
          for (const { relay } of this.#endpoints) relay.swallow = false;
        };
      },
      purge: async (region) => {
        await this.#admin.streams.purge(streamOf(region));
      },
      recreate: async (region) => {
        const { config } = await this.#admin.streams.info(streamOf(region));
        await this.#admin.streams.delete(config.name);
        await this.#admin.streams.add({ name: config.name, subjects: config.subjects });
      },
    },
  };

  private constructor(server: NatsServer, admin: Admin, limits: Limits) {
    this.#limits = limits;
    this.frameBytesMax = limits.bytesMax;
    this.unsentBytesMax = limits.unsentBytesMax;
    this.#server = server;
    this.#admin = admin;
  }

  static async start(limits: Limits = smallLimits): Promise<NatsHarness> {
    const server = await NatsServer.start({ config: 'single.conf' });
    return new NatsHarness(server, await Admin.connect(server), limits);
  }

  async start({ region, node, events }: LinkEndpointOptions): Promise<Endpoint> {
    const relay = await Relay.start(this.#server.port);
    const servers = [relay.url];
    const link = new NatsLink({ cluster: 'test', region, node: nodeId(node), servers, events, limits: this.#limits });
    const crash = async (): Promise<void> => {
      link.terminate();
      relay.close();
    };
    const endpoint: Endpoint = { region, link, relay, crash, url: relay.url };
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  async close(): Promise<void> {
    for (const { relay } of this.#endpoints) relay.close();
    await this.#admin.close();
    await this.#server.remove();
  }
}

function streamOf(region: RegionId): string {
  return `SKERRY_test_${region}`;
}

describe.skipIf(!hasNatsServer)('on a real nats-server (skipped without nats-server)', () => {
  afterAll(removeServers);
  describeLink('NatsLink', { create: () => NatsHarness.start(), hasLog: true });
  describeRegionsOverLink('NatsLink', { create: () => NatsHarness.start(wideLimits), hasLog: true });
});
