import { randomBytes } from 'node:crypto';
import { SeededRandom } from '@skerry/base';

/** Chance of this process: another sequence at every start. */
export function cryptoRandom(): SeededRandom {
  return new SeededRandom(randomBytes(6).readUIntBE(0, 6));
}

/** Names one start of this node for its peers. */
export function randomProcessId(): string {
  return randomBytes(8).toString('hex');
}
