import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Binding, Raw } from './entries.ts';

/** What can be kept: a value that cannot be read is never good. */
export type Kept = Exclude<Raw, { readonly kind: 'unreadable' }>;

/** What was last found good. */
export interface Cached {
  /** Wall clock of the one who saved it, milliseconds since 1970. */
  readonly savedMs: number;
  readonly entries: ReadonlyMap<string, Kept>;
}

interface Payload {
  readonly binding: Binding;
  readonly savedMs: number;
  /** Registers in base64; all else as JSON. */
  readonly entries: readonly { readonly key: string; readonly register?: string; readonly plain?: unknown }[];
}

const headOf = (body: string): string => `skerry-config 1 ${createHash('sha256').update(body).digest('hex')}`;

/**
 * Writes beside the file and renames, so that a reader finds the old one or the new one, whatever crashes when; for the
 * owner alone, since configuration has secrets.
 */
export async function writeCache(file: string, binding: Binding, { savedMs, entries }: Cached): Promise<void> {
  const payload: Payload = {
    binding,
    savedMs,
    entries: [...entries].map(([key, raw]) =>
      raw.kind === 'register'
        ? { key, register: Buffer.from(raw.bytes).toString('base64') }
        : { key, plain: raw.value },
    ),
  };
  const body = JSON.stringify(payload);
  const besides = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  try {
    const handle = await open(besides, 'wx', 0o600);
    try {
      await handle.writeFile(`${headOf(body)}\n${body}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(besides, file);
  } catch (error) {
    await rm(besides, { force: true });
    throw error;
  }
}

/** null: there is none. Throws where there is one that cannot be used: damaged, or of another key or prefix. */
export async function readCache(file: string, binding: Binding): Promise<Cached | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const [head = '', body = ''] = text.split('\n', 2);
  if (head !== headOf(body)) throw new Error(`${file} is damaged, or no cache of configuration`);
  const payload = JSON.parse(body) as Payload;
  if (JSON.stringify(payload.binding) !== JSON.stringify(binding)) {
    throw new Error(`${file} is of ${JSON.stringify(payload.binding)}`);
  }
  const entries = payload.entries.map(({ key, register, plain }): readonly [string, Kept] => [
    key,
    register === undefined
      ? { kind: 'plain', value: plain }
      : { kind: 'register', bytes: new Uint8Array(Buffer.from(register, 'base64')) },
  ]);
  return { savedMs: payload.savedMs, entries: new Map(entries) };
}
