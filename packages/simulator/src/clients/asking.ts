import { randomInt, type NodeId, type SeededRandom } from '@skerry/base';
import type { Answer, ClientRequest, Seen } from '@skerry/replica';
import type { World } from '../world.ts';

/** Asks until a node answers: for what changes nothing and may be asked as often as one likes. */
export function ask(options: {
  readonly world: World;
  readonly random: SeededRandom;
  readonly request: Pick<ClientRequest, 'operation' | 'timeoutMs' | 'after'>;
  readonly pickNode: (world: World) => NodeId;
  /** False: the answer does not count, ask again. */
  readonly onAnswer: (answer: Answer, label: string, seen: Seen | null) => boolean;
  /** True ends it without an answer. */
  readonly isMoot?: () => boolean;
}): void {
  const { world, random, request, pickNode, onAnswer, isMoot = () => false } = options;
  let attempts = 0;
  let over = false;
  const again = (attempt: number): void => {
    if (over || attempt !== attempts) return;
    attempts++;
    world.queue.after(randomInt(random, 5, 150), send);
  };
  const send = (): void => {
    if (over || isMoot()) return;
    const attempt = ++attempts;
    const handle = world.request(pickNode(world), request, {
      onAnswer: (answer, label, seen) => {
        if (over) return;
        const isRefused = answer.kind === 'error' && answer.code === 'OVERLOADED';
        if (!isRefused && onAnswer(answer, label, seen)) over = true;
        else again(attempt);
      },
      onLost: () => again(attempt),
    });
    world.queue.after(randomInt(random, 1_000, 5_000), () => {
      if (over || attempt !== attempts) return;
      world.cancel(handle);
      again(attempt);
    });
  };
  send();
}
