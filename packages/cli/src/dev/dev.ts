import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliError, exitCode, type ExitCode } from '../exit-code.ts';
import { formatJson, formatTable } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { startControl } from './control.ts';
import {
  adminUrl,
  clientUrl,
  devCluster,
  peerUrl,
  natsPort,
  planDevCluster,
  readyReport,
  type DevNode,
  type DevOptions,
  type DevRegion,
} from './layout.ts';
import { killLeftovers } from './leftovers.ts';
import { DevNats, findNatsServer } from './nats.ts';
import type { NodeExit } from './node-process.ts';
import { requireFreePorts } from './ports.ts';
import { isReadyByStatus, waitUntilReady } from './readiness.ts';
import { isAlive, readDevState, removeDevState, writeDevState, type DevState } from './state-file.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';

/** What tests replace: the program that is a node, and how a node is asked whether it is ready. */
export interface DevParts {
  readonly launch: (plan: readonly DevRegion[], options: DevOptions) => SupervisorOptions['launch'];
  /** Asks whether a node serves and is linked to that many other regions. */
  readonly isReady: (node: DevNode, linkCount: number) => Promise<boolean>;
}

const readyTimeoutMs = 60_000;
const stopGraceMs = 8_000;

/** Runs a dev cluster until `terminal.interrupted`; resolves when no process of it is left. */
export async function runDev(
  options: DevOptions & { readonly json: boolean },
  terminal: Terminal,
  parts: DevParts = realParts,
): Promise<ExitCode> {
  const regions = planDevCluster(options);
  const nodes = regions.flatMap((region) => region.nodes);
  takeOverFolder(options.dataDir, terminal);
  const nats =
    options.link === 'nats' ? new DevNats(options, findNatsServer(terminal.env), (text) => terminal.err(text)) : null;
  await requireFreePorts(nodes, nats === null ? [] : [nats.port]);
  mkdirSync(options.dataDir, { recursive: true });

  let control: DevState['control'] | null = null;
  const saveState = (): void => {
    if (control === null) return;
    const state = devState(regions, supervisor, control);
    writeDevState(options.dataDir, nats === null ? state : { ...state, nats: nats.describe() });
  };
  const supervisor: Supervisor = new Supervisor(nodes, {
    launch: parts.launch(regions, options),
    onCrash: (node, exit) => {
      terminal.err(`${node.name} ${describeExit(exit)}; its log is ${node.logFile}\n`);
    },
    onChange: saveState,
    stopGraceMs,
  });
  const started = await startControl((order) => supervisor.act(order.action, order.node));
  control = started.control;
  try {
    nats?.start();
    supervisor.startAll();
    if (!options.json) terminal.err(`Starting ${nodes.length} nodes…\n`);
    const isRunning = (node: DevNode): boolean => supervisor.state(node.name).pid !== null;
    await waitUntilReady(regions, {
      isRunning,
      isReady: (node) => parts.isReady(node, regions.length - 1),
      check: () => nats?.requireRunning(),
      timeoutMs: readyTimeoutMs,
      signal: terminal.interrupted,
    });
    terminal.out(options.json ? formatJson(readyReport(regions)) : nodeTable(regions, options));
    await untilAborted(terminal.interrupted);
  } catch (error) {
    if (!terminal.interrupted.aborted) throw error;
  } finally {
    control = null;
    started.server.close();
    started.server.closeAllConnections();
    if (!options.json) terminal.err('Stopping…\n');
    await supervisor.stopAll();
    await nats?.stop(stopGraceMs);
    removeDevState(options.dataDir);
  }
  return exitCode.valid;
}

/** One dev cluster per folder; what a killed one left running is ended first. */
function takeOverFolder(dataDir: string, terminal: Terminal): void {
  const old = readDevState(dataDir);
  if (old === null) return;
  if (old.pid !== process.pid && isAlive(old.pid)) {
    throw new CliError(
      `a dev cluster already runs on ${dataDir} (process ${old.pid}); stop it or choose another --data`,
    );
  }
  const killed = killLeftovers(old);
  if (killed.length > 0) terminal.err(`Ended what an earlier run left behind: ${killed.join(', ')}\n`);
  removeDevState(dataDir);
}

function devState(regions: readonly DevRegion[], supervisor: Supervisor, control: DevState['control']): DevState {
  return {
    format: 1,
    pid: process.pid,
    control,
    regions: regions.map((region) => ({
      name: region.name,
      nodes: region.nodes.map((node) => ({
        name: node.name,
        client: clientUrl(node),
        admin: adminUrl(node),
        log: node.logFile,
        ...supervisor.state(node.name),
      })),
    })),
  };
}

function describeExit(exit: NodeExit): string {
  if (exit.signal !== null) return `was ended by ${exit.signal}`;
  return exit.code === null ? 'could not be started' : `ended with code ${exit.code}`;
}

function nodeTable(regions: readonly DevRegion[], options: DevOptions): string {
  const table = formatTable(
    regions.flatMap((region) => region.nodes),
    [
      { heading: 'REGION', cell: (node) => node.region },
      { heading: 'NODE', cell: (node) => node.name },
      { heading: 'CLIENTS', cell: clientUrl },
      { heading: 'ADMINISTRATION', cell: adminUrl },
      { heading: 'LOG', cell: (node) => node.logFile },
    ],
  );
  return `${table}\nReady: every region has a leader${regions.length > 1 ? ' and every link is up' : ''}. The data is in ${options.dataDir}; Ctrl-C stops the nodes and keeps it.\n`;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

const realParts: DevParts = { launch: launchServer, isReady: isReadyByStatus };

/** `skerry server …` with this very program and Node. */
function launchServer(regions: readonly DevRegion[], options: DevOptions): SupervisorOptions['launch'] {
  const entry = fileURLToPath(new URL('../../bin/skerry.mjs', import.meta.url));
  return (node) => ({
    command: process.execPath,
    args: [entry, 'server', ...serverArguments(node, regions, options)],
  });
}

/** Flags of `skerry server` for one node. */
export function serverArguments(node: DevNode, regions: readonly DevRegion[], options: DevOptions): string[] {
  const members = regions.find(({ name }) => name === node.region)?.nodes ?? [];
  const others = members.filter(({ name }) => name !== node.name);
  const otherRegions = regions.filter(({ name }) => name !== node.region);
  return [
    ['--node', node.name],
    ['--region', node.region],
    ['--cluster', devCluster],
    ['--data-folder', node.dataDir],
    ['--partitions', String(options.partitions)],
    ['--host', '127.0.0.1'],
    ['--client-port', String(node.clientPort)],
    ['--peer-port', String(node.peerPort)],
    ['--admin-port', String(node.adminPort)],
    ['--bootstrap', members.map(({ name }) => name).join(',')],
    ...(others.length === 0
      ? []
      : [
          ['--peers', others.map((other) => `${other.name}=${peerUrl(other)}`).join(',')],
          ['--via', others.map(clientUrl).join(',')],
        ]),
    ...(otherRegions.length === 0
      ? []
      : [['--regions', otherRegions.map(({ name, nodes }) => `${name}=${nodes.map(peerUrl).join('|')}`).join(',')]]),
    ...(options.link === 'nats' ? [['--link', 'nats', '--nats-servers', `nats://127.0.0.1:${natsPort(options)}`]] : []),
    ['--unsafe-fault-injection'],
  ].flat();
}
