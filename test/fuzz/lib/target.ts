import type { Random } from '../../../packages/base/src/index.ts';
import { DecodeError } from '../../../packages/base/src/index.ts';
import { mutateBytes, mutateText } from './mutate.ts';

/** One decoder, what it is fed, and how it may refuse. */
export interface Target {
  readonly name: string;
  /** A case: what to run, and how to show what it was fed. */
  readonly draw: (random: Random) => { readonly run: () => void; readonly shown: string };
  readonly isTyped: (error: unknown) => boolean;
}

export function isDecodeError(error: unknown): boolean {
  return error instanceof DecodeError;
}

/** A decoder of bytes, fed with samples that are broken. */
export function ofBytes(
  name: string,
  samples: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => unknown,
  isTyped: Target['isTyped'] = isDecodeError,
): Target {
  if (samples.length === 0) throw new Error(`no samples of ${name}`);
  for (const sample of samples) decode(sample);
  return {
    name,
    isTyped,
    draw: (random) => {
      const bytes = mutateBytes(random, samples[random.uint32() % samples.length] as Uint8Array, samples);
      return { run: () => void decode(bytes), shown: Buffer.from(bytes.subarray(0, 4_000)).toString('hex') };
    },
  };
}

/** The same for text. */
export function ofText(
  name: string,
  samples: readonly string[],
  decode: (text: string) => unknown,
  isTyped: Target['isTyped'],
): Target {
  for (const sample of samples) decode(sample);
  return {
    name,
    isTyped,
    draw: (random) => {
      const text = mutateText(random, samples[random.uint32() % samples.length] as string, samples);
      return { run: () => void decode(text), shown: JSON.stringify(text.slice(0, 2_000)) };
    },
  };
}
