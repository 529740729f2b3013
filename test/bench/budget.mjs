/**
 * Where the time of an operation goes: a region of real server processes on loopback and a client process with N calls in
 * flight. Prints CPU microseconds per operation of every process, bytes on the wire and syncs per operation, calls per
 * second and latency. CPU per operation says more than calls per second on a machine that does other things as well.
 *
 *   node test/bench/budget.mjs [set|get|localGet|localSet|swap|add] [--in-flight 256] [--seconds 5] [--nodes 3]
 *                               [--value-bytes 256] [--keys 10000] [--profile FOLDER] [--idle] [-o json]
 *
 * `--profile FOLDER` leaves a `.cpuprofile` of each process there (the figures are then somewhat too high). `--idle`
 * measures the nodes with no client at all.
 */
import { fork, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const program = join(root, 'packages', 'cli', 'bin', 'skerry.mjs');
const basePort = Number(process.env.SKERRY_BENCH_PORT ?? 17_700);
const warmUpMs = 4_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'in-flight': { type: 'string', default: '256' },
    seconds: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '3' },
    'value-bytes': { type: 'string', default: '256' },
    keys: { type: 'string', default: '10000' },
    profile: { type: 'string' },
    at: { type: 'string', default: 'follower' },
    idle: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
const operation = positionals[0] ?? 'set';

if (process.env['SKERRY_BENCH_ROLE'] === 'client') await runClient();
else await main();

async function main() {
  const folder = mkdtempSync(join(process.env['SKERRY_BENCH_FOLDER'] ?? tmpdir(), 'skerry-budget-'));
  const nodes = startNodes(folder, Number(options.nodes));
  try {
    const leader = await leaderOf(nodes);
    const target = options.at === 'leader' ? leader : (nodes.find((node) => node !== leader) ?? leader);
    const client = options.idle ? null : startClient(target);
    if (client !== null) await client.next('warm');
    else await wait(3 * warmUpMs);
    const before = await readings(nodes);
    const clientBefore = client?.cpu();
    const startedMs = performance.now();
    client?.send('measure');
    await wait(Number(options.seconds) * 1_000);
    // Before the metrics are read, which costs an idle node more than the seconds before.
    const cpuAfter = nodes.map(({ child }) => cpuOf(child.pid));
    const after = (await readings(nodes)).map((reading, i) => ({ ...reading, cpu: cpuAfter[i] }));
    const clientAfter = client?.cpu();
    const seconds = (performance.now() - startedMs) / 1_000;
    const result = client === null ? null : await client.ask('result');
    report({
      nodes,
      leader,
      target,
      before,
      after,
      client: clientBefore === undefined ? null : since(clientAfter, clientBefore),
      result,
      seconds,
    });
    client?.send('end');
    await client?.ended;
  } finally {
    for (const { child } of nodes) child.kill('SIGTERM');
    await Promise.all(nodes.map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  }
}

function report({ nodes, leader, target, before, after, client, result, seconds }) {
  const operations = result?.done ?? 1;
  const lines = [];
  const record = (name, { user, system, loop }) => ({
    process: name,
    loopMicros: (loop * 1e6) / operations,
    userMicros: (user * 1e6) / operations,
    systemMicros: (system * 1e6) / operations,
    corePercent: ((user + system) / seconds) * 100,
  });
  nodes.forEach((node, i) => {
    const role = [node === leader ? 'leader' : 'follower', ...(node === target ? ['asked'] : [])].join(', ');
    const { cpu, metrics } = after[i];
    const of = (name) => (metrics[name] ?? 0) - (before[i].metrics[name] ?? 0);
    lines.push({
      ...record(`${node.name} (${role})`, since(cpu, before[i].cpu)),
      syncs: of('skerry_storage_syncs_total'),
      peerBytesSent: of('skerry_peer_sent_bytes_total') / operations,
      storageBytes: of('skerry_storage_written_bytes_total') / operations,
      turns: of('skerry_loop_turns_total'),
    });
  });
  if (client !== null) lines.push(record('client', client));
  if (options.output === 'json') {
    console.log(JSON.stringify({ operation: options.idle ? 'idle' : operation, seconds, result, processes: lines }));
    return;
  }
  if (result !== null) {
    console.log(
      `${operation}, ${options['in-flight']} in flight, ${options['value-bytes']} bytes: ${Math.round(result.done / seconds)}/s, p50 ${result.p50.toFixed(2)} ms, p99 ${result.p99.toFixed(2)} ms; to and from the client ${(result.bytesOut / result.done).toFixed(0)} + ${(result.bytesIn / result.done).toFixed(0)} bytes per call; failed ${result.failed}`,
    );
  }
  const total = lines.reduce((sum, { userMicros, systemMicros }) => sum + userMicros + systemMicros, 0);
  if (result !== null) console.log(`all together ${total.toFixed(1)} µs of CPU per call`);
  for (const {
    process: name,
    loopMicros,
    userMicros,
    systemMicros,
    corePercent,
    syncs,
    peerBytesSent,
    storageBytes,
    turns,
  } of lines) {
    const cpu =
      result === null
        ? ''
        : `${userMicros.toFixed(1).padStart(7)} + ${systemMicros.toFixed(1).padStart(5)} µs per call (${loopMicros.toFixed(1)} in the event loop), `;
    const rest =
      syncs === undefined
        ? ''
        : `, ${(turns / seconds).toFixed(0)} turns/s, ${(syncs / seconds).toFixed(0)} syncs/s${result === null ? '' : `, ${(result.done / syncs).toFixed(1)} calls per sync, ${peerBytesSent.toFixed(0)} bytes to peers, ${storageBytes.toFixed(0)} to storage per call`}`;
    console.log(`${name.padEnd(26)} ${cpu}${corePercent.toFixed(1).padStart(5)} % of a core${rest}`);
  }
}

function startNodes(folder, count) {
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
  const port = (i, which) => String(basePort + 10 * i + which);
  return names.map((name, i) => {
    const peers = names.map((peer, j) => `${peer}=ws://127.0.0.1:${port(j, 1)}`).filter((_, j) => j !== i);
    const child = spawn(
      process.execPath,
      [
        ...profileFlags(name),
        program,
        'server',
        '--node',
        name,
        '--region',
        'r',
        '--data-folder',
        join(folder, name),
        '--client-port',
        port(i, 0),
        '--peer-port',
        port(i, 1),
        '--admin-port',
        port(i, 2),
        '--bootstrap',
        names.join(','),
        '--peers',
        peers.join(','),
        '--log-level',
        'error',
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    return {
      name,
      child,
      url: `ws://127.0.0.1:${port(i, 0)}`,
      admin: `http://127.0.0.1:${port(i, 2)}`,
      ended: new Promise((resolve) => {
        child.once('exit', resolve);
      }),
    };
  });
}

function profileFlags(name) {
  if (options.profile === undefined) return [];
  mkdirSync(options.profile, { recursive: true });
  return ['--cpu-prof', '--cpu-prof-dir', options.profile, '--cpu-prof-name', `${name}.cpuprofile`];
}

async function leaderOf(nodes) {
  for (;;) {
    for (const node of nodes) {
      const status = await fetch(`${node.admin}/status`).then(
        (response) => response.json(),
        () => null,
      );
      const leader = status?.partitions?.[0]?.leader ?? null;
      if (leader !== null) return nodes.find(({ name }) => name === leader);
    }
    await wait(100);
  }
}

async function readings(nodes) {
  return Promise.all(
    nodes.map(async ({ child, admin }) => {
      const text = await fetch(`${admin}/metrics`).then((response) => response.text());
      const metrics = {};
      for (const line of text.split('\n')) {
        const match = /^(\w+)(?:\{[^}]*\})? (\S+)$/.exec(line);
        if (match !== null) metrics[match[1]] = Number(match[2]);
      }
      return { cpu: cpuOf(child.pid), metrics };
    }),
  );
}

/** Seconds: of all threads, and of the one that runs the event loop. */
function cpuOf(pid) {
  const of = (file) => {
    const fields = readFileSync(file, 'utf8').split(') ')[1].split(' ');
    return { user: Number(fields[11]) / 100, system: Number(fields[12]) / 100 };
  };
  const loop = of(`/proc/${pid}/task/${pid}/stat`);
  return { ...of(`/proc/${pid}/stat`), loop: loop.user + loop.system };
}

function since(after, before) {
  return { user: after.user - before.user, system: after.system - before.system, loop: after.loop - before.loop };
}

function startClient({ url }) {
  const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
    env: { ...process.env, SKERRY_BENCH_ROLE: 'client', SKERRY_BENCH_URL: url },
    execArgv: profileFlags('client'),
  });
  const next = (kind) =>
    new Promise((resolve, reject) => {
      child.once('exit', reject);
      child.on('message', (message) => {
        if (message.kind === kind) resolve(message);
      });
    });
  return {
    next,
    send: (kind) => child.send(kind),
    cpu: () => cpuOf(child.pid),
    ended: new Promise((resolve) => {
      child.once('exit', resolve);
    }),
    ask: (kind) => {
      const answer = next(kind);
      child.send(kind);
      return answer;
    },
  };
}

async function runClient() {
  const { connect } = await import(join(root, 'packages', 'client', 'dist', 'index.js'));
  const db = await connect({ endpoints: [process.env['SKERRY_BENCH_URL']], discover: false });
  const value = new Uint8Array(Number(options['value-bytes'])).fill(120);
  const keys = Array.from({ length: Number(options.keys) }, (_, i) => `key-${String(i).padStart(8, '0')}`);
  const calls = {
    set: (key) => db.set(key, value),
    localSet: (key) => db.set(key, value, { consistent: false }),
    get: (key) => db.get(key, { as: 'bytes' }),
    localGet: (key) => db.get(key, { consistent: false, as: 'bytes' }),
    swap: (key) => db.swap(key, value, value),
    add: (key) => db.counter(`c-${key}`).add(1),
  };
  const call = calls[operation];
  let latencies = [];
  let failed = 0;
  let stopped = false;
  let bytes = { in: 0, out: 0 };
  const socketBytes = () => {
    const sockets = process
      ._getActiveHandles()
      .filter((handle) => handle instanceof Socket && handle.remotePort !== undefined);
    return {
      in: sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
      out: sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    };
  };
  if (operation !== 'set' && operation !== 'localSet' && operation !== 'add') {
    for (let from = 0; from < keys.length; from += 256)
      await Promise.all(keys.slice(from, from + 256).map((key) => db.set(key, value)));
  }
  const run = async (worker) => {
    for (let i = worker; !stopped; i = (i * 48_271 + 11) % 2_147_483_647) {
      const startedMs = performance.now();
      const answer = await call(keys[i % keys.length]).catch(() => null);
      latencies.push(performance.now() - startedMs);
      if (answer === null || answer.timeout === true) failed++;
    }
  };
  const workers = Array.from({ length: Number(options['in-flight']) }, (_, i) => run(i + 1));
  setTimeout(() => process.send({ kind: 'warm' }), warmUpMs);
  process.on('message', (kind) => {
    if (kind === 'measure') {
      latencies = [];
      failed = 0;
      bytes = socketBytes();
    }
    if (kind === 'result') {
      const sorted = Float64Array.from(latencies).sort();
      const now = socketBytes();
      process.send({
        kind,
        done: sorted.length,
        failed,
        p50: sorted[Math.floor(sorted.length / 2)] ?? 0,
        p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
        bytesIn: now.in - bytes.in,
        bytesOut: now.out - bytes.out,
      });
    }
    if (kind === 'end') {
      stopped = true;
      void Promise.all(workers)
        .then(() => db.close())
        .then(() => process.disconnect());
    }
  });
}

function wait(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
