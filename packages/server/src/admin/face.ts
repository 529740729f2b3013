import { isName, type NodeId, type RegionId, replicaId, replicaIdMax } from '@skerry/base';
import type { ErrorCode } from '@skerry/protocol';
import type { ClientRequest, MemberSpec, NodeStatus, RegionStatus } from '@skerry/replica';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { expectAnswer } from '../http/bodies.ts';
import { makeApp } from '../http/face.ts';
import { readJson, readParameters } from '../http/parameters.ts';
import { HttpError } from '../http/problem.ts';
import type { OpenRequests } from '../requests.ts';
import type { Metrics } from './metrics.ts';
import { healthWarnings, regionHealth } from './region-health.ts';

export interface AdminFaceOptions {
  readonly log: Logger;
  readonly requests: OpenRequests;
  readonly metrics: Metrics;
  readonly status: () => NodeStatus;
  /** Facts beside the replica's status, for `/status`. */
  readonly describe: () => object;
  readonly members: () => readonly object[];
  readonly regions: () => readonly RegionStatus[];
  /** A clock that is further off is warned of. */
  readonly maxClockSkewMs: number;
  readonly countError: (code: ErrorCode) => void;
  /** True from the first moment of a planned stop. */
  readonly stopping: () => boolean;
  /** null: the node was started without fault injection. */
  readonly faults: FaultInjection | null;
}

export interface FaultInjection {
  cut(node: NodeId): void;
  heal(node: NodeId): void;
  cutNodes(): readonly NodeId[];
  cutRegion(region: RegionId): void;
  healRegion(region: RegionId): void;
  cutRegions(): readonly RegionId[];
}

/** How long a change of members or a transfer may take when the caller does not say. */
const orderTimeoutMs = 10_000;

const name = z
  .string()
  .refine(isName, 'not a name')
  .transform((text) => text as NodeId);
const url = z.string().max(1_024).default('');
const memberSchema = z.strictObject({
  node: name,
  peerUrl: z.url({ protocol: /^wss?$/ }),
  clientUrl: url,
  adminUrl: url,
  learner: z.boolean().default(false),
  replica: z.int().min(0).max(replicaIdMax).nullable().default(null),
});
const membersSchema = z.strictObject({
  add: z.array(memberSchema).max(64).default([]),
  remove: z.array(name).max(64).default([]),
});
const transferSchema = z.strictObject({
  partition: z.int().min(0).nullable().default(null),
  to: name.nullable().default(null),
});
const regionName = z
  .string()
  .refine(isName, 'not a name')
  .transform((text) => text as RegionId);
const regionSchema = z.union(
  [
    z.strictObject({
      add: z.strictObject({
        region: regionName,
        urls: z
          .array(z.url({ protocol: /^wss?$/ }))
          .min(1)
          .max(64),
      }),
    }),
    z.strictObject({ evict: regionName }),
  ],
  { error: 'must be {"add": {"region": name, "urls": [peer addresses]}} or {"evict": name}' },
);
const cutSchema = z.strictObject({
  peers: z.array(name).max(64).optional(),
  regions: z.array(regionName).max(64).optional(),
});

/** Health, metrics and administration, on a port of their own. */
export function makeAdminFace(options: AdminFaceOptions): FastifyInstance {
  const app = makeApp(options.log, (error) => options.countError(error.problem.code));
  addHealthRoutes(app, options);
  addMemberRoutes(app, options);
  addRegionRoutes(app, options);
  addChaosRoutes(app, options.faults);
  app.get('/metrics', async (_request, reply) => {
    const text = await options.metrics.text();
    return reply.type(options.metrics.contentType).send(text);
  });
  app.get('/status', async () => ({ ...options.describe(), ...options.status(), regions: options.regions() }));
  return app;
}

function addHealthRoutes(app: FastifyInstance, options: AdminFaceOptions): void {
  const { status, stopping, maxClockSkewMs } = options;
  // Alive is whoever answers: a supervisor must not restart a node because others are away.
  app.get('/livez', async () => ({ status: 'ok' }));
  app.get('/readyz', async (request) => {
    const { mode = 'consistent' } = readParameters(request.query, ['mode']);
    if (mode !== 'consistent' && mode !== 'local')
      throw new HttpError('BAD_REQUEST', 'mode: must be consistent or local');
    if (stopping()) throw new HttpError('STOPPING', 'the node is shutting down');
    if (mode === 'consistent') requireLeaders(status());
    // Another region that lags or is away makes this one no less ready.
    const regions = regionHealth(options.regions());
    return { status: 'ok', mode, regions, warnings: healthWarnings(regions, maxClockSkewMs) };
  });
}

function requireLeaders({ partitions }: NodeStatus): void {
  const without = partitions
    .filter(({ leader, quorum }) => leader === null || !quorum)
    .map(({ partition }) => partition);
  if (without.length > 0 || partitions.length === 0)
    throw new HttpError('NO_LEADER', `partitions without a leader: ${without.join(', ')}`);
}

function addMemberRoutes(app: FastifyInstance, { requests, members }: AdminFaceOptions): void {
  app.get('/admin/members', async () => ({ members: members() }));
  app.post('/admin/members', async (request) => {
    const { timeout = orderTimeoutMs } = readParameters(request.query, ['timeout']);
    const { add, remove } = readJson(request.headers['content-type'], request.body, membersSchema);
    if (add.length + remove.length === 0) throw new HttpError('BAD_REQUEST', 'names nobody to add or remove');
    const specs = add.map((spec): MemberSpec => ({
      ...spec,
      replica: spec.replica === null ? null : replicaId(spec.replica),
    }));
    const { answer } = requests.ask({ operation: { kind: 'changeMembers', add: specs, remove }, timeoutMs: timeout });
    expectAnswer(await answer, 'done');
    return { members: members() };
  });
  app.post('/admin/transfer', async (request) => {
    const { timeout = orderTimeoutMs } = readParameters(request.query, ['timeout']);
    const { partition, to } = readJson(request.headers['content-type'], request.body, transferSchema);
    const { answer } = requests.ask({ operation: { kind: 'transferLeadership', partition, to }, timeoutMs: timeout });
    expectAnswer(await answer, 'done');
    return { status: 'ok' };
  });
}

function addRegionRoutes(app: FastifyInstance, { requests, regions }: AdminFaceOptions): void {
  app.get('/admin/regions', async () => ({ regions: regions() }));
  app.post('/admin/regions', async (request) => {
    const { timeout = orderTimeoutMs } = readParameters(request.query, ['timeout']);
    const order = readJson(request.headers['content-type'], request.body, regionSchema);
    const operation: ClientRequest['operation'] =
      'add' in order ? { kind: 'addRegion', ...order.add } : { kind: 'evictRegion', region: order.evict };
    const { answer } = requests.ask({ operation, timeoutMs: timeout });
    expectAnswer(await answer, 'done');
    return { regions: regions() };
  });
}

function addChaosRoutes(app: FastifyInstance, faults: FaultInjection | null): void {
  for (const action of ['cut', 'heal'] as const) {
    app.post(`/chaos/${action}`, async (request) => {
      if (faults === null) throw new HttpError('FAULT_INJECTION_OFF', `/chaos/${action}`);
      const { peers, regions } = readJson(request.headers['content-type'], request.body, cutSchema);
      const namesNobody = peers === undefined && regions === undefined;
      if (action === 'cut' && namesNobody) throw new HttpError('BAD_REQUEST', 'peers or regions: name whom to cut off');
      for (const node of peers ?? (namesNobody ? faults.cutNodes() : [])) faults[action](node);
      for (const region of regions ?? (namesNobody ? faults.cutRegions() : [])) faults[`${action}Region`](region);
      return { cut: faults.cutNodes(), cutRegions: faults.cutRegions() };
    });
  }
}
