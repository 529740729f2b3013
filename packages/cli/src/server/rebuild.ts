import type { ServerConfig } from '@skerry/server';
import { openStorage, retireFolder, StorageOpenError } from '@skerry/storage-lmdb';
import { CliError, exitCode } from '../exit-code.ts';

/** The living nodes of the region, as far as a rebuild needs them. */
export interface RebuildPeers {
  /** The administration addresses of the members. */
  adminUrls(signal: AbortSignal): Promise<readonly string[]>;
}

/** Moves what the folder holds aside; null if there was nothing. */
export function setDataAside(folder: string): string | null {
  try {
    return retireFolder(folder);
  } catch (error) {
    if (error instanceof StorageOpenError && error.code === 'FOLDER_MISSING') return null;
    throw error;
  }
}

/**
 * Gives the empty folder a new identity and has the members take it in place of the old one. What the node then starts
 * with is a member that joins: it must not make a cluster of its own from the list of voters it was once made with.
 */
export async function rebuildNode(
  config: ServerConfig,
  peers: RebuildPeers,
  signal: AbortSignal,
): Promise<{ config: ServerConfig; replica: number }> {
  if (config.peers.length === 0) throw new CliError('a node without peers cannot be rebuilt: nobody else has its data');
  const storage = await openStorage({ folder: config.dataFolder, events: { onFull: () => {}, onCorrupt: () => {} } });
  const { replica } = storage.identity;
  await storage.close();
  await replaceMember(await peers.adminUrls(signal), memberOf(config, replica), signal);
  return { config: { ...config, join: true, bootstrap: [] }, replica };
}

function memberOf(config: ServerConfig, replica: number): object {
  const url = (scheme: string, port: number): string => `${scheme}://${config.host}:${port}`;
  return {
    node: config.node,
    peerUrl: config.advertisePeerUrl ?? url('ws', config.peerPort),
    clientUrl: config.advertiseClientUrl ?? url('ws', config.clientPort),
    adminUrl: config.advertiseAdminUrl ?? url('http', config.adminPort),
    learner: false,
    replica,
  };
}

const orderTimeoutMs = 30_000;

/** Asks one member after the other, until one says yes. */
async function replaceMember(adminUrls: readonly string[], member: object, signal: AbortSignal): Promise<void> {
  const problems: string[] = [];
  for (const adminUrl of adminUrls) {
    try {
      const response = await fetch(new URL(`/admin/members?timeout=${orderTimeoutMs}`, adminUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ add: [member], remove: [] }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(2 * orderTimeoutMs)]),
      });
      if (response.ok) return;
      problems.push(`${adminUrl}: ${await response.text()}`);
    } catch (error) {
      problems.push(`${adminUrl}: ${String((error as Error).cause ?? error)}`);
    }
  }
  throw new CliError(
    `no member took the node in (${problems.join('; ') || 'none is known'}). The old data stays set aside; try again when a majority is there`,
    exitCode.refused,
  );
}
