import { connect, SkerryError, type Client, type Form, type Response } from '@skerry/client';
import { getLastLog, lock } from '@skerry/recipes';
import type { CliContext } from './command.ts';
import type {
  CallOptions,
  Database,
  DeleteResult,
  KeyResult,
  ReceiptResult,
  WatchBatch,
  WatchTarget,
  WriteOptions,
} from './database.ts';
import { readTyped, updateTyped } from './client-types.ts';

/** How long a command tries to reach a node. */
const connectTimeoutMs = 5_000;

/** Opens a connection of `@skerry/client` for the commands. */
export const connectDatabase: CliContext['connect'] = async (endpoints, signal, { only = false } = {}) => {
  return databaseOf(await connect({ endpoints, connectTimeoutMs, signal, discover: !only }));
};

function databaseOf(client: Client): Database {
  const bytes = { as: 'bytes' as const };
  return {
    get: async (key, options) => keyResult(await client.get(key, { ...options, ...bytes })),
    set: async (key, value, options) => keyResult(await client.set(key, value, options)),
    delete: (key, options) => deleteKey(client, key, options),
    swap: async (key, { newValue, oldValue }, options) =>
      keyResult(await client.swap(key, newValue, oldValue, options)),
    read: (key, type, options) => readTyped(client, { key, type }, options),
    update: (key, change, options) => updateTyped(client, { key, change }, options),
    list: (prefix, options) => client.list(prefix, { ...options, ...bytes }),
    watch: (target, signal) => watch(client, target, signal),
    receipt: (receipt, options) => askReceipt(client, receipt, options),
    resolve: async (ticket, options) => {
      const undecided: KeyResult = {
        valid: false,
        timeout: true,
        value: null,
        version: null,
        outcome: 'undecided',
        ticket,
      };
      return withinDeadline(options, async (signal) => keyResult(await client.resolve(ticket, { signal })), undecided);
    },
    conflicts: (prefix, options) => client.conflicts(prefix, { ...options, ...bytes }),
    status: (options) => client.status(options),
    region: () => client.connection?.region ?? null,
    members: () => Promise.resolve(client.members),
    changeMembers: (change, options) => client.changeMembers({ ...change, ...options }),
    transferLeadership: (target, options) => client.transferLeadership({ ...target, ...options }),
    regions: (options) => client.regions(options),
    addRegion: (region, urls, options) => client.addRegion(region, urls, options),
    evictRegion: (region, options) => client.evictRegion(region, options),
    lock: (name, { wait, ...options }) =>
      wait ? lock(client, name, options) : lock(client, name, { ...options, wait }),
    getLastLog: (server, rawLogs, signal) => getLastLog(client, server, rawLogs, { signal }),
    close: () => client.close(),
  };
}

/** A consistent delete looks and deletes in one step, so that what it says of the key was so at that moment. */
async function deleteKey(client: Client, key: string, options: WriteOptions): Promise<DeleteResult> {
  if (!options.consistent) return keyResult(await client.delete(key, options));
  const { valid, timeout, outcome, succeeded, ticket } = await client.txn(
    { if: [{ key, version: null }], else: [{ delete: key }] },
    options,
  );
  return {
    valid,
    timeout,
    value: null,
    version: null,
    outcome,
    ...(ticket === undefined ? {} : { ticket }),
    ...(outcome === 'applied' ? { existed: !succeeded } : {}),
  };
}

function keyResult(response: Response<string | Uint8Array>): KeyResult {
  const { value, ...rest } = response;
  return { ...rest, value: typeof value === 'string' ? Buffer.from(value) : value };
}

async function* watch(
  client: Client,
  { key, prefix, cursor }: WatchTarget,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const options = { as: 'bytes' as Form & 'bytes', prefix, signal, ...(cursor === null ? {} : { cursor }) };
  try {
    for await (const batch of client.watch(key, options)) yield { ...batch, reset: batch.reset !== undefined };
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function askReceipt(
  client: Client,
  name: string,
  options: CallOptions & { waitUntilKnown: boolean },
): Promise<ReceiptResult> {
  const receipt = client.receipt(name);
  const ask = async (signal: AbortSignal): Promise<ReceiptResult> => {
    const { state, reason, version } = await (options.waitUntilKnown
      ? receipt.wait({ signal })
      : receipt.state({ signal }));
    return { state, version, timeout: false, ...(reason === null ? {} : { reason }) };
  };
  return withinDeadline(options, ask, { state: 'accepted', version: null, timeout: true });
}

const timeoutMsDefault = 1_000;

/** For calls whose client side knows no deadline of its own: `late` when it passes. */
async function withinDeadline<Result>(
  options: CallOptions,
  call: (signal: AbortSignal) => Promise<Result>,
  late: Result,
): Promise<Result> {
  if (options.blocking) return call(options.signal);
  const deadline = AbortSignal.timeout(options.timeoutMs ?? timeoutMsDefault);
  try {
    return await call(AbortSignal.any([options.signal, deadline]));
  } catch (error) {
    if (error instanceof SkerryError && deadline.aborted) return late;
    throw error;
  }
}
