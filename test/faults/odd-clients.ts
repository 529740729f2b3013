import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { faultScenario, type Heal, type Hurt } from './lib/fault-run.ts';
import { addUnderOneId } from './lib/one-id.ts';
import type { Region } from './lib/region.ts';
import type { Scenario } from './lib/scenario.ts';
import { pause } from './lib/until.ts';

const socketsEach = 30;

/** FAULTS F12; `many-sockets` opens ten thousand. Retries after time-outs are what the callers of every check do. */
export const oddClients: Scenario = faultScenario(
  {
    name: 'odd-clients',
    summary:
      'garbage, huge frames, endless handshakes, clients that die in mid-request, two clients with one id: the others are served',
    trials: 18,
  },
  {
    hurts: [
      pestering('garbage on every port', (url) => rawSocket(url, randomBytes(2_000))),
      pestering('an endless request line', (url) => rawSocket(url, Buffer.alloc(200_000, 'GET /'))),
      pestering('handshakes that never end', (url) => rawSocket(url, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n'))),
      pestering('frames of garbage', (url) => webSocket(url, () => randomBytes(300))),
      pestering('huge frames', (url) => webSocket(url, () => Buffer.alloc(40 * 1_024 * 1_024))),
      {
        name: 'clients that die in mid-request',
        make: async ({ region, trial }) => {
          for (let index = 0; index < socketsEach; index++) {
            const client = await region.client();
            // Whether it is applied nobody will know; that it breaks nothing, all others will.
            void client.set(`t${trial}-dying/${index}`, 'x'.repeat(10_000)).catch(() => {});
            await client.close();
          }
          return async () => {};
        },
      },
      sharingAnId('two clients with one id', { consistent: true }),
      sharingAnId('two clients with one id, without a quorum', { consistent: false }),
      sharingAnId('two clients with one id, and the leader is killed', { consistent: true, kills: true }),
    ],
    wanted: ['refused', 'the first of two clients with one id won', 'the second of two clients with one id won'],
  },
);

function pestering(name: string, open: (url: string) => { readonly close: () => void }): Hurt {
  return {
    name,
    lastsMs: 800,
    make: async ({ region, sometimes }): Promise<Heal> => {
      const opened = urlsOf(region).flatMap((url) => Array.from({ length: socketsEach }, () => open(url)));
      await pause(100);
      return async () => {
        for (const { close } of opened) close();
        sometimes(name);
        region.requireNoCrash();
      };
    },
  };
}

const sequencesInFull = 150;
const sequencesInShort = 30;

function sharingAnId(
  name: string,
  { consistent, kills = false }: { readonly consistent: boolean; readonly kills?: boolean },
): Hurt {
  return {
    name,
    lastsMs: 300,
    make: async ({ region, trial, short, sometimes, problem }) => {
      const sequences = short ? sequencesInShort : sequencesInFull;
      const leader = await region.leader();
      const done = addUnderOneId(region, { key: `t${trial}-one-id`, sequences, consistent });
      // Awaited below; it must not be called unhandled before.
      done.catch(() => {});
      return async () => {
        if (kills) {
          await leader.kill();
          leader.start();
        }
        const { first, second, problems } = await done;
        if (first > 0) sometimes('the first of two clients with one id won');
        if (second > 0) sometimes('the second of two clients with one id won');
        for (const what of problems) problem(what);
      };
    },
  };
}

function urlsOf({ running }: Region): string[] {
  return running.flatMap(({ clientUrl, peerUrl }) => [clientUrl, peerUrl]);
}

function rawSocket(url: string, bytes: Buffer): { readonly close: () => void } {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname, () => socket.write(bytes));
  socket.on('error', () => {});
  return { close: () => socket.destroy() };
}

function webSocket(url: string, frame: () => Buffer): { readonly close: () => void } {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('error', () => {});
  void once(socket, 'open').then(
    () => socket.send(frame()),
    () => {},
  );
  return { close: () => socket.terminate() };
}

function randomBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(Math.random() * 256)));
}
