import { simulator, type PlantedBug } from './lib/bug.ts';

/** Bugs of the state machine, of quorum-less writes, and of what clients are told. */
export const replicaBugs: readonly PlantedBug[] = [
  {
    name: 'snapshot-forgets-sessions',
    what: 'A snapshot leaves out the sessions: a retry takes effect again at a leader that had its state by snapshot.',
    edits: [
      {
        file: 'packages/replica/src/snapshot-sender.ts',
        find: "if (key.startsWith('f/')) continue;",
        replace: "if (key.startsWith('f/') || key.startsWith('c/')) continue;",
      },
    ],
    bench: simulator,
  },
  {
    name: 'dedupe-forgotten-after-compaction',
    what: 'When the log is compacted, the sessions that its entries had made go with them.',
    edits: [
      {
        file: 'packages/replica/src/state/sessions.ts',
        find: '  create(client: ClientId,',
        replace:
          '  forgetAll(): void {\n' +
          "    for (const { key } of [...this.#store.scan(this.#keys.range('c'))]) this.#store.deferDelete(key);\n" +
          '    this.#cached.clear();\n' +
          '    this.#dirty.clear();\n' +
          '  }\n\n' +
          '  create(client: ClientId,',
      },
      {
        file: 'packages/replica/src/partition.ts',
        find: '    this.state.trimFeed(to);\n',
        replace: '    this.state.trimFeed(to);\n    this.state.sessions.forgetAll();\n',
      },
    ],
    bench: simulator,
  },
  {
    name: 'dot-promoted-twice',
    what: 'Neither the context of promoted dots nor the session is asked before a promotion takes effect.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: 'if (this.header.context.has(dot) || this.header.reseeding !== null) return;',
        replace: 'if (this.header.reseeding !== null) return;',
      },
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: '    if (session.done.has(id.sequence)) {\n      // Its client had it fenced',
        replace:
          '    if (session.done.has(id.sequence) && !session.promoted.has(id.sequence)) {\n      // Its client had it fenced',
      },
      {
        file: 'packages/replica/src/proposals.ts',
        find: 'return dot !== null && this.#partition.context.has(dot);',
        replace: 'return dot === null;',
      },
    ],
    bench: simulator,
  },
  {
    name: 'retried-copy-promoted-too',
    what: 'The second copy of a quorum-less write that two nodes accepted takes effect like the first.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: '    if (session.done.has(id.sequence)) {\n      // Its client had it fenced',
        replace:
          '    if (session.done.has(id.sequence) && !session.promoted.has(id.sequence)) {\n      // Its client had it fenced',
      },
    ],
    bench: simulator,
  },
  {
    name: 'promotion-without-clock-clamp',
    what: 'A promoted write keeps its stamp however far that lies in the future.',
    edits: [
      {
        file: 'packages/replica/src/state/values.ts',
        find: 'if (stamp.wallMs <= this.#reading.clampMs) return stamp;',
        replace: 'if (stamp.wallMs > 0) return stamp;',
      },
    ],
    bench: simulator,
  },
  {
    name: 'fence-ignored',
    what: 'A fence is answered but not remembered: the request that it was to stop is applied when it comes.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: 'this.sessions.finish(id.client, session, { sequence: id.sequence, result });\n    this.#results.push({ id, result });\n  }\n\n  #execute',
        replace:
          "if (command.kind !== 'fence') this.sessions.finish(id.client, session, { sequence: id.sequence, result });\n    this.#results.push({ id, result });\n  }\n\n  #execute",
      },
    ],
    bench: simulator,
  },
  {
    name: 'pending-write-dropped-at-restart',
    what: 'A node that restarts does not read the pending writes that it holds.',
    edits: [
      {
        file: 'packages/replica/src/pending.ts',
        find: 'found.push(...heldOf({ key, bytes: value.slice(), left: 0 }));',
        replace: 'heldOf({ key, bytes: value.slice(), left: 0 });',
      },
    ],
    bench: simulator,
  },
  {
    name: 'quorumless-answer-before-sync',
    what: 'A quorum-less write is acknowledged before it is durable.',
    edits: [
      {
        file: 'packages/replica/src/quorumless.ts',
        find: '    partition.pending.whenDurable(() => {\n      const accepted = early ?? this.#accepted(partition, held);\n      if (copies <= 1) return answer(accepted);',
        replace:
          '    const accepted = this.#accepted(partition, held);\n    void early;\n    if (copies <= 1) answer(accepted);\n    partition.pending.whenDurable(() => {\n      if (copies <= 1) return;',
      },
    ],
    bench: simulator,
  },
  {
    name: 'applied-index-before-data',
    what: 'The applied index, and with it the positions in all logs, becomes durable before the data that was applied.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: '    if (changes.length > 0) this.#store.deferDirect(this.keys.feed(index), encodeChanges(changes, entry));\n',
        replace:
          '    if (changes.length > 0) this.#store.deferDirect(this.keys.feed(index), encodeChanges(changes, entry));\n    this.#store.put(this.keys.header, encodeHeader(this.header));\n',
      },
    ],
    bench: simulator,
  },
  {
    name: 'read-before-applied',
    what: 'A consistent read is served from what is applied, without waiting for its read index.',
    edits: [
      {
        file: 'packages/replica/src/reads.ts',
        find: 'while (this.#ready.length > 0 && (this.#ready[0] as { index: number }).index <= index) {',
        replace: 'while (this.#ready.length > 0 && index >= 0) {',
      },
    ],
    bench: simulator,
  },
  {
    name: 'consistent-call-skips-pending',
    what: 'A node serves a consistent call without first promoting the pending writes that it holds for the key.',
    edits: [
      {
        file: 'packages/replica/src/gates.ts',
        find: 'if (held.length === 0) {',
        replace: 'if (held.length >= 0) {',
      },
    ],
    bench: simulator,
  },
  {
    name: 'ledger-forgets-losers',
    what: 'A write that loses on its promotion leaves nothing in the conflict ledger.',
    edits: [
      {
        file: 'packages/replica/src/state/losers.ts',
        find: 'this.#store.defer(\n      this.#keys.conflict(conflicts.next++),\n      encodeConflict(',
        replace: 'void [this.#store, this.#keys, conflicts];\n    void Object(\n      encodeConflict(',
      },
    ],
    bench: simulator,
  },
  {
    name: 'stamp-not-above-committed',
    what: 'A consistent write takes its stamp from the clock of the leader alone.',
    edits: [
      {
        file: 'packages/replica/src/state/values.ts',
        find: 'const stamp = stampAfter(header.clock, this.#reading.wallMs, this.#reading.replica);',
        replace: 'const stamp = stampAfter(stampZero, this.#reading.wallMs, this.#reading.replica);',
      },
    ],
    bench: simulator,
  },
  {
    name: 'transaction-half-done',
    what: 'A transaction takes effect for its first operation only.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: 'results: branch.map((operation) => this.#transactOne(operation)) };',
        replace:
          "results: branch.map((operation, i) => (i > 0 && operation.kind === 'set' ? { key: operation.key, value: null, stamp: null } : this.#transactOne(operation))) };",
      },
    ],
    bench: simulator,
  },
  {
    name: 'swap-ignores-the-old-value',
    what: 'A swap whose old value does not match is told to be applied.',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: 'if (!sameValue(value, command.oldValue))\n          return { kind:',
        replace:
          'if (value !== null && !sameValue(value, command.oldValue) && command.oldValue === null)\n          return { kind:',
      },
    ],
    bench: simulator,
  },
  {
    name: 'lease-ends-early',
    what: 'Keys of a lease go when half of its time is over.',
    edits: [
      {
        file: 'packages/replica/src/state/leases.ts',
        find: 'const expiresMs = clusterMs + ttlMs;',
        replace: 'const expiresMs = clusterMs + Math.floor(ttlMs / 2);',
      },
    ],
    bench: simulator,
  },
  {
    name: 'not-applied-though-sent',
    what: 'At its deadline a write that was handed to the leader is called notApplied without a fence.',
    edits: [
      {
        file: 'packages/replica/src/writes.ts',
        find: 'if (write.sends === 0 && !write.retry && isAlone) {',
        replace: 'if (!write.retry && isAlone) {',
      },
    ],
    bench: simulator,
  },
  {
    name: 'counter-adds-on-retry',
    what: 'A retried increment takes effect again (Riak, Cassandra).',
    edits: [
      {
        file: 'packages/replica/src/state/state-machine.ts',
        find: 'if (session.done.has(id.sequence)) {\n      const first',
        replace: "if (session.done.has(id.sequence) && command.kind !== 'update') {\n      const first",
      },
    ],
    bench: simulator,
  },
  {
    name: 'watch-loses-event-over-snapshot',
    what: 'A watcher goes on behind a snapshot as if it had seen what that skipped.',
    edits: [
      {
        file: 'packages/replica/src/watches.ts',
        find: 'if ((watcher.positions[partition.id] as number) < partition.state.applied) this.#beginReset(watcher);',
        replace: 'void [watcher, partition];',
      },
    ],
    bench: simulator,
  },
  {
    name: 'local-read-goes-back-after-reconnect',
    what: 'A node answers the local read of a session at once, although the session has seen more elsewhere.',
    edits: [
      {
        file: 'packages/replica/src/causality.ts',
        find: 'positions.every(({ origin, sequence }) => state.regions.taken(origin) >= sequence) &&',
        replace: 'positions.length >= 0 || state.applied < 0 ||',
      },
    ],
    bench: simulator,
  },
];
