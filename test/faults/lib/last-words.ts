import type { Region } from './region.ts';

const charactersMax = 2_000;

/** `error` with the ends of the nodes' logs in its message, for a check whose folder does not stay. */
export function withLastWords(error: Error, region: Region): Error {
  const words = region.nodes.map((node) => `\n--- ${node.crash ?? node.name}\n${node.log.slice(-charactersMax)}`);
  error.message += words.join('');
  // The stack was made with the message of before.
  error.stack = error.message;
  return error;
}
