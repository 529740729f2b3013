import type { ReplicaId } from '@skerry/base';
import type { CausalContext } from './context.ts';
import type { CounterEntry, CounterState } from './counter.ts';
import { arrivingDocument } from './document.ts';
import type { DotEntry, DotStore } from './dot-store.ts';
import { noIncrements, union, type Generation, type IncrementSet } from './increments.ts';
import type { Lifetime } from './lifetime.ts';
import { compareStamps, type Stamp } from './stamp.ts';
import { isLiving, type Part, type Value } from './value.ts';

/** What a replica knows of a key that a state of another one comes for. */
interface Known {
  /** Its own state; null: it has none, or has forgotten what a delete left. */
  readonly mine: Value | null;
  /** Every dot that it has applied, of this key and others. */
  readonly seen: CausalContext;
  /** No delete above this stamp was forgotten there. */
  readonly collected: Stamp;
}

/**
 * `value`, as another replica has it, for one that has applied the dots in `seen`: what it has applied and does not hold is gone, be
 * it that the context of its own state does not tell (node-wide clocks, Gonçalves et al. 2015). Where that leaves nothing, and the
 * key was not written after the last delete that may be forgotten, it is a tombstone, by which the other one learns of it.
 * Registers stay, as stamps decide on them.
 */
export function withoutSeen(value: Value, known: Known): Value {
  const parts = value.parts.map((part) => partWithout(part, known));
  return parts.every((part, index) => part === value.parts[index]) ? value : { parts };
}

function partWithout(part: Part, known: Known): Part {
  const left = contentWithout(part, known);
  if (left === part || known.mine !== null || left.type === 'register') return left;
  const dead = { ...left, deletedAt: left.writtenAt };
  return isLiving(dead) || !mayBeForgotten(left, known.collected) ? left : dead;
}

/** True if it was last written before a delete that is forgotten, perhaps. */
function mayBeForgotten({ writtenAt }: Lifetime, collected: Stamp): boolean {
  return writtenAt !== null && compareStamps(writtenAt, collected) <= 0;
}

function contentWithout(part: Part, { mine, seen }: Known): Part {
  const own = mine?.parts.find(({ type }) => type === part.type);
  switch (part.type) {
    case 'register':
      return part;
    case 'counter':
      return counterWithout(part, own?.type === 'counter' ? own : null, seen);
    case 'multiRegister': {
      const siblings = storeWithout(part.siblings, own?.type === 'multiRegister' ? own.siblings : null, seen);
      return siblings === part.siblings ? part : { ...part, siblings };
    }
    case 'set': {
      const adds = storeWithout(part.adds, own?.type === 'set' ? own.adds : null, seen);
      return adds === part.adds ? part : { ...part, adds };
    }
    case 'flag': {
      const enables = storeWithout(part.enables, own?.type === 'flag' ? own.enables : null, seen);
      return enables === part.enables ? part : { ...part, enables };
    }
    case 'document': {
      const state = own?.type === 'document' ? own : null;
      const chunks = storeWithout(part.chunks, state?.chunks ?? null, seen);
      const left = chunks === part.chunks ? part : { ...part, chunks };
      return arrivingDocument(left, { state, applied: seen }).part;
    }
  }
}

function storeWithout<T>(store: DotStore<T>, own: DotStore<T> | null, seen: CausalContext): DotStore<T> {
  const isGone = ([name, { dot }]: readonly [string, DotEntry<T>]): boolean =>
    seen.has(dot) && own?.entries.has(name) !== true;
  const entries = [...store.entries].filter((entry) => !isGone(entry));
  return entries.length === store.entries.size ? store : { entries: new Map(entries), context: store.context };
}

function counterWithout(counter: CounterState, own: CounterState | null, seen: CausalContext): CounterState {
  let isSame = true;
  const entries = new Map<ReplicaId, CounterEntry>();
  for (const [replica, entry] of counter.entries) {
    const generations = new Map<number, Generation>();
    for (const [name, generation] of entry.generations) {
      const isKnown = own?.entries.get(replica)?.generations.has(name) === true;
      const left = isKnown ? generation : resetSeen(generation, { replica, name, seen });
      isSame &&= left === generation;
      generations.set(name, left);
    }
    entries.set(replica, { ...entry, generations });
  }
  return isSame ? counter : { ...counter, entries };
}

/** Of a sum nobody knows the parts, so one of which only a part was here stays. */
function resetSeen(
  generation: Generation,
  { replica, name, seen }: { readonly replica: ReplicaId; readonly name: number; readonly seen: CausalContext },
): Generation {
  const { prefix, beyond } = generation.seen;
  const wasSummed = prefix.upTo > 0 && seen.hasRange(replica, name, prefix.upTo);
  const gone: IncrementSet = {
    prefix: wasSummed ? prefix : noIncrements.prefix,
    beyond: new Map([...beyond].filter(([sequence]) => seen.has({ replica, sequence }))),
  };
  if (gone.prefix.upTo === 0 && gone.beyond.size === 0) return generation;
  return { seen: generation.seen, reset: union(generation.reset, gone) };
}
