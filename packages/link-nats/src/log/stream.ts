import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { LinkContext } from '../context.ts';

/** The server has less room than the stream asks for (it sets it aside). */
const insufficientStorage = 10047;
/** The stream would not take a message of this size. */
const messageTooLarge = 10054;
/** Below this the stream is of no use. */
const streamBytesMin = 1024 * 1024;

function apiCode(error: unknown): number | null {
  return error instanceof JetStreamApiError ? error.code : null;
}

export function isStreamMissing(error: unknown): boolean {
  return apiCode(error) === JetStreamApiCodes.StreamNotFound;
}

export function isTooLarge(error: unknown): boolean {
  return apiCode(error) === messageTooLarge || (error instanceof Error && /max.*payload/i.test(error.message));
}

/** What the stream of this node's region shall be. */
function streamConfig({ names, region, limits }: LinkContext) {
  return {
    name: names.stream(region),
    subjects: [names.logs(region)],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_bytes: limits.streamBytesMax,
    max_age: nanos(limits.streamAgeMsMax),
    duplicate_window: nanos(Math.min(limits.duplicateWindowMs, limits.streamAgeMsMax)),
    num_replicas: limits.streamReplicas,
  } satisfies Partial<StreamConfig>;
}

/**
 * Creates the stream of this node's region, or brings it to the limits asked for. Where the server has less room, it
 * gets half of it, and half of that, and so on. Fails as JetStream does.
 */
export async function ensureStream(manager: JetStreamManager, context: LinkContext): Promise<void> {
  const wanted = streamConfig(context);
  for (let bytes = wanted.max_bytes; ; bytes = Math.floor(bytes / 2)) {
    try {
      await addOrUpdate(manager, { ...wanted, max_bytes: bytes });
      if (bytes < wanted.max_bytes) context.logger.warn({ bytes }, 'less room for the log in NATS than asked for');
      return;
    } catch (error) {
      if (apiCode(error) !== insufficientStorage || bytes / 2 < streamBytesMin) throw error;
    }
  }
}

async function addOrUpdate(manager: JetStreamManager, wanted: ReturnType<typeof streamConfig>): Promise<void> {
  try {
    const { config } = await manager.streams.info(wanted.name);
    const { name, storage: _storage, retention: _retention, ...changeable } = wanted;
    const differs = Object.entries(changeable).some(
      ([field, value]) => JSON.stringify(config[field as keyof StreamConfig]) !== JSON.stringify(value),
    );
    if (differs) await manager.streams.update(name, changeable);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
    await manager.streams.add(wanted);
  }
}

function nanos(ms: number): number {
  return ms * 1_000_000;
}
