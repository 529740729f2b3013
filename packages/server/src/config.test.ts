import { describe, expect, test } from 'vitest';
import { ConfigError, describeConfig, loadConfig } from './config.ts';

const single = { node: 'a', region: 'r', dataFolder: '/data/a', bootstrap: ['a'] };

function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('loadConfig', () => {
  test('fills in defaults, of timing and limits too', () => {
    const config = loadConfig({ file: single });
    expect(config).toMatchObject({
      cluster: 'skerry',
      host: '127.0.0.1',
      partitions: 1,
      join: false,
      unsafeFaultInjection: false,
    });
    expect(config.timing.tickMs).toBe(10);
    expect(config.limits.valueBytesMax).toBe(512 * 1_024);
    expect(config.clientLimits.requestsOpenMax).toBe(1_024);
  });

  test('takes a flag over the environment over the file', () => {
    const config = loadConfig({
      file: { ...single, clientPort: 1, peerPort: 2, adminPort: 3, timing: { tickMs: 5, fenceGraceMs: 100 } },
      environment: {
        SKERRY_CLIENT_PORT: '11',
        SKERRY_PEER_PORT: '12',
        SKERRY_TIMING: 'tickMs=7',
        SKERRY_ENDPOINTS: 'for the client',
      },
      flags: { clientPort: '21', adminPort: undefined },
    });
    expect(config).toMatchObject({ clientPort: 21, peerPort: 12, adminPort: 3 });
    expect(config.timing).toMatchObject({ tickMs: 7, fenceGraceMs: 100 });
  });

  test('reads lists, peers and booleans from text', () => {
    const config = loadConfig({
      file: single,
      flags: { bootstrap: 'a, b', peers: 'b=ws://127.0.0.1:7121', unsafeFaultInjection: '1' },
    });
    expect(config.bootstrap).toEqual(['a', 'b']);
    expect(config.peers).toEqual([{ node: 'b', peerUrl: 'ws://127.0.0.1:7121' }]);
    expect(config.unsafeFaultInjection).toBe(true);
  });

  test('reads regions from text, with and without addresses', () => {
    const config = loadConfig({ file: single, flags: { regions: 'r2=ws://b:1|wss://c:2, r3' } });
    expect(config.regions).toEqual([
      { region: 'r2', urls: ['ws://b:1', 'wss://c:2'] },
      { region: 'r3', urls: [] },
    ]);
    expect(config).toMatchObject({
      link: 'direct',
      natsServers: [],
      linkLimits: { unsentBytesMax: 16 * 1_024 * 1_024 },
    });
    const nats = loadConfig({ file: single, flags: { link: 'nats', natsServers: 'nats://a:4222,tls://b:4222' } });
    expect(nats.natsServers).toEqual(['nats://a:4222', 'tls://b:4222']);
  });

  test.each([
    ['an unknown field', { colour: 'red' }, /^colour: unknown field$/],
    ['an unknown limit', { limits: { keys: 3 } }, /^limits\.keys: unknown field$/],
    ['a limit of zero', { limits: { pendingCountMax: 0 } }, /^limits\.pendingCountMax: /],
    ['a port out of range', { clientPort: 70_000 }, /^clientPort: /],
    ['a port that is not a number', { clientPort: '7x' }, /^clientPort: must be a number, not "7x"$/],
    ['a name with a slash', { region: 'a/b' }, /^region: must be 1 to 64/],
    [
      'a peer address that is no WebSocket',
      { peers: [{ node: 'b', peerUrl: 'http://b' }] },
      /^peers\.0\.peerUrl: must be a ws:/,
    ],
    ['bootstrap and join at once', { join: true, peers: 'b=ws://b:1' }, /^join: excludes bootstrap/],
    ['neither bootstrap nor join', { bootstrap: [] }, /^bootstrap: name the voters/],
    ['join without a peer', { bootstrap: [], join: true }, /^peers: a node that joins/],
    ['a voter without an address', { bootstrap: ['a', 'b'] }, /^peers: lacks the address of b, which bootstrap names$/],
    ['a bootstrap without this node', { bootstrap: ['b'], peers: 'b=ws://b:1' }, /^bootstrap: must name this node, a$/],
    ['one port for two listeners', { clientPort: 5, peerPort: 5 }, /^clientPort: .* must differ/],
    [
      'every address without one to advertise',
      { host: '0.0.0.0', advertiseClientUrl: 'ws://a:1', advertisePeerUrl: 'ws://a:2' },
      /^advertiseAdminUrl: must be given/,
    ],
    ['an election timeout below two heartbeats', { timing: { heartbeatTicks: 15 } }, /^timing: electionTicksMin/],
    [
      'client frames too small for a swap',
      { clientLimits: { frameBytesMax: 600_000 } },
      /^clientLimits: frameBytesMax/,
    ],
    ['its own region among the others', { regions: 'r=ws://b:1' }, /^regions: names this node's own region, r$/],
    ['a region named twice', { regions: 'x=ws://b:1,x=ws://c:1' }, /^regions: names a region twice$/],
    ['a region with an address of the web', { regions: 'x=http://b:1' }, /^regions\.0\.urls\.0: must be a ws:/],
    ['a region that is no pair', { regions: 'x=ws://b:1=2' }, /^regions: must be region=ws:/],
    ['a link that there is not', { link: 'pigeon' }, /^link: /],
    ['nats without a server', { link: 'nats' }, /^natsServers: must be given where link is nats$/],
    ['an address that is none of NATS', { natsServers: 'ws://b:1' }, /^natsServers\.0: must be a nats:/],
    ['a link limit below two frames', { linkLimits: { unsentBytesMax: 9 } }, /^linkLimits: two frames must have room/],
    ['peer frames too small for the log', { peerLimits: { frameBytesMax: 1_000 } }, /^peerLimits: frameBytesMax/],
  ])('refuses %s', (_, change, problem) => {
    const problems = problemsOf(() => loadConfig({ file: single, flags: change }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  test('names every field that is missing at once', () => {
    expect(problemsOf(() => loadConfig({})).filter((line) => line.endsWith('must be given'))).toEqual([
      'node: must be given',
      'region: must be given',
      'dataFolder: must be given',
    ]);
  });
});

test('describeConfig names a flag and a variable for every field, and both are read', () => {
  const described = describeConfig();
  expect(new Set(described.map(({ flag }) => flag)).size).toBe(described.length);
  const port = described.find(({ field }) => field === 'adminPort');
  expect(port).toMatchObject({ flag: '--admin-port', environment: 'SKERRY_ADMIN_PORT', default: '7112' });
  expect(loadConfig({ file: single, environment: { SKERRY_ADMIN_PORT: '9' } }).adminPort).toBe(9);
  for (const { description } of described) expect(description).toMatch(/\.$/);
});
