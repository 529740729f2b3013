// Loaded into a node by `--import`: its modules are those of this build, save that it says another version to its peers.
import { register } from 'node:module';

register(
  `data:text/javascript,${encodeURIComponent(`
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (!url.endsWith('/server/dist/peers/handshake.js')) return loaded;
      const source = String(loaded.source);
      const changed = source.replace(/peerProtocolVersion = (\\d+)/, (_, version) => 'peerProtocolVersion = ' + (Number(version) + 1));
      if (changed === source) throw new Error('the version of the peer protocol is not where it was');
      return { ...loaded, source: changed };
    }
  `)}`,
);
