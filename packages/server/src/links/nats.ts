import { nodeId, regionId } from '@skerry/base';
import { NatsLink } from '@skerry/link-nats';
import type { MakeLink } from '../region-link.ts';

/** A link over NATS, which is dialled: nobody connects here. */
export const makeNatsLink: MakeLink = (config, events, log) => {
  const link = new NatsLink({
    cluster: config.cluster,
    region: regionId(config.region),
    node: nodeId(config.node),
    servers: config.natsServers,
    events,
    log,
  });
  return {
    link,
    upgrade: null,
    refusals: () => new Map(),
    via: (region) => link.via(region),
    terminate: () => link.terminate(),
  };
};
