import { nodeId, regionId } from '@skerry/base';
import { DirectLink } from '@skerry/link-direct';
import { cryptoRandom } from '../random.ts';
import type { MakeLink } from '../region-link.ts';

/** A link over WebSockets, which are taken at the peer listener. */
export const makeDirectLink: MakeLink = (config, events, log) => {
  const link = new DirectLink({
    cluster: config.cluster,
    region: regionId(config.region),
    node: nodeId(config.node),
    partitionCount: config.partitions,
    limits: config.linkLimits,
    random: cryptoRandom(),
    events,
    note: (fields, text) => log.info(fields, text),
  });
  return {
    link,
    upgrade: (request, socket, head) => link.handleUpgrade(request, socket, head),
    refusals: () => link.refusals(),
    via: (region) => link.routes().find((route) => route.region === region)?.via ?? null,
    terminate: () => link.terminate(),
  };
};
