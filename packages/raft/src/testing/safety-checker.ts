import { assert, crc32, type NodeId } from '@skerry/base';
import type { Entry, LogIndex, Output, Term } from '../index.ts';
import type { TestNode } from './test-node.ts';

/** The log of a node as it is in its memory: everything handed out to persist. */
interface Mirror {
  base: number;
  baseTerm: number;
  log: Entry[];
  commit: number;
  term: number;
  applied: number;
}

/** What must hold whatever happens (DESIGN, section 6: I1, I2; the paper, figure 3), seen from outside of `Raft`. */
export class SafetyChecker {
  readonly #mirrors = new Map<NodeId, Mirror>();
  readonly #leaders = new Map<Term, NodeId>();
  /** For every index that any node applied: term and checksum. */
  readonly #committed: { term: number; crc: number }[] = [];
  /** The highest commit index that any node ever knew. */
  #commitMax = 0;
  readonly #readsAsked = new Map<number, number>();

  get committedCount(): number {
    return this.#committed.length;
  }

  onReadAsked(context: number): void {
    this.#readsAsked.set(context, this.#commitMax);
  }

  /** True if entries of this node were replaced. */
  onOutput(node: TestNode, output: Output): boolean {
    const mirror = this.#mirrorOf(node);
    let replaced = false;
    if (output.persist !== null) {
      const { snapshot, entries } = output.persist;
      if (snapshot !== null)
        Object.assign(mirror, { base: snapshot.index, baseTerm: snapshot.term, log: [], applied: snapshot.index });
      if (snapshot !== null) this.#checkCommitted(node, snapshot.index, snapshot.term);
      const first = entries[0];
      if (first !== undefined) {
        const keep = first.index - mirror.base - 1;
        assert(keep >= 0 && keep <= mirror.log.length, 'a gap in what is persisted', {
          id: node.id,
          first: first.index,
        });
        replaced = keep < mirror.log.length;
        assert(first.index > mirror.commit || !replaced, 'I2: a committed entry is replaced', {
          id: node.id,
          first: first.index,
          commit: mirror.commit,
        });
        mirror.log.length = keep;
        mirror.log.push(...entries);
      }
    }
    if (output.soft?.role === 'leader') this.#checkLeader(node, output.soft.term, mirror);
    for (const entry of output.committed) this.#checkApplied(node, entry, mirror);
    for (const state of output.readStates) {
      const floor = this.#readsAsked.get(state.context);
      assert(floor !== undefined, 'a read is answered twice, or was never asked', { context: state.context });
      this.#readsAsked.delete(state.context);
      assert(state.index === null || state.index >= floor, 'I3: a stale read', {
        id: node.id,
        index: state.index,
        floor,
      });
    }
    return replaced;
  }

  onStatus(node: TestNode): void {
    const { commit, term } = node.raft.status();
    const mirror = this.#mirrorOf(node);
    assert(commit >= mirror.commit && term >= mirror.term, 'commit or term goes back', {
      id: node.id,
      commit,
      commitBefore: mirror.commit,
      term,
      termBefore: mirror.term,
    });
    mirror.commit = commit;
    mirror.term = term;
    if (commit > this.#commitMax) this.#commitMax = commit;
  }

  /** Memory is lost, what was durable is not. */
  onRestart(node: TestNode): void {
    const { base, log, applied } = node.storage;
    this.#mirrors.set(node.id, { base: base.index, baseTerm: base.term, log: [...log], commit: 0, term: 0, applied });
  }

  /** Log matching (section 5.3): if two logs agree on (index, term), they agree on everything up to there. */
  checkLogMatching(): void {
    const mirrors = [...this.#mirrors];
    for (const [a, one] of mirrors) {
      for (const [b, other] of mirrors) {
        if (a >= b) continue;
        let agree = false;
        for (
          let index = Math.min(one.base + one.log.length, other.base + other.log.length);
          index > Math.max(one.base, other.base);
          index--
        ) {
          const x = one.log[index - one.base - 1] as Entry;
          const y = other.log[index - other.base - 1] as Entry;
          if (x.term === y.term) agree = true;
          assert(
            !agree || (x.term === y.term && crc32(x.data) === crc32(y.data)),
            'I2: logs that agree differ before that',
            { a, b, index },
          );
        }
      }
    }
  }

  #checkLeader(node: TestNode, term: Term, mirror: Mirror): void {
    const other = this.#leaders.get(term);
    assert(other === undefined || other === node.id, 'I1: two leaders in one term', { term, one: other, two: node.id });
    this.#leaders.set(term, node.id);
    // Leader completeness (section 5.4).
    for (let index = mirror.base + 1; index <= this.#committed.length; index++) {
      const committed = this.#committed[index - 1];
      assert(
        committed === undefined || mirror.log[index - mirror.base - 1]?.term === committed.term,
        'a leader lacks a committed entry',
        {
          id: node.id,
          term,
          index,
          committedTerm: committed?.term,
        },
      );
    }
  }

  #checkApplied(node: TestNode, entry: Entry, mirror: Mirror): void {
    assert(entry.index === mirror.applied + 1, 'applied out of order or twice', {
      id: node.id,
      index: entry.index,
      applied: mirror.applied,
    });
    mirror.applied = entry.index;
    const crc = crc32(entry.data);
    const known = this.#committed[entry.index - 1];
    assert(
      known === undefined || (known.term === entry.term && known.crc === crc),
      'I2: two entries committed at one index',
      {
        id: node.id,
        index: entry.index,
        term: entry.term,
        knownTerm: known?.term,
      },
    );
    this.#committed[entry.index - 1] = { term: entry.term, crc };
  }

  #checkCommitted(node: TestNode, index: LogIndex, term: Term): void {
    const known = this.#committed[index - 1];
    assert(known !== undefined && known.term === term, 'a snapshot of what was never committed', {
      id: node.id,
      index,
      term,
      known: known?.term,
    });
  }

  #mirrorOf(node: TestNode): Mirror {
    let mirror = this.#mirrors.get(node.id);
    if (mirror === undefined) {
      mirror = { base: 0, baseTerm: 0, log: [], commit: 0, term: 0, applied: 0 };
      this.#mirrors.set(node.id, mirror);
    }
    return mirror;
  }
}
