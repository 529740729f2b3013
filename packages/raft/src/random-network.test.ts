import { env } from 'node:process';
import { expect, it } from 'vitest';
import { RandomNetwork, type RunEvents } from './testing/random-network.ts';

// RAFT_SEED reruns one seed; RAFT_SEEDS runs more than the usual number.
const only = env['RAFT_SEED'];
const seeds =
  only === undefined ? Array.from({ length: Number(env['RAFT_SEEDS'] ?? 330) }, (_, i) => i) : [Number(only)];

it('keeps I1, I2, log matching, leader completeness and linearizable reads under any faults, and converges when they end', () => {
  const total: Record<string, number> = {};
  for (const seed of seeds) {
    const network = new RandomNetwork(seed);
    try {
      network.run();
    } catch (error) {
      throw new Error(`seed ${seed} (rerun: RAFT_SEED=${seed}): ${String(error)}\n${network.describe()}`, {
        cause: error,
      });
    }
    for (const [name, count] of Object.entries(network.events)) total[name] = (total[name] ?? 0) + count;
  }
  if (only !== undefined) return;
  const least: RunEvents = {
    leaders: 1000,
    crashes: 500,
    persistsLost: 200,
    snapshotsInstalled: 100,
    configChanges: 200,
    leaderRemovals: 10,
    transfers: 20,
    reads: 1000,
    readsFailed: 100,
    truncations: 100,
    committed: 10_000,
  };
  for (const [name, count] of Object.entries(least)) expect(total[name], name).toBeGreaterThanOrEqual(count);
}, 60_000);
