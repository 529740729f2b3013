import { raft, simulator, tests, type PlantedBug } from './lib/bug.ts';

/** Bugs of consensus, and of what its owner must do for it. */
export const raftBugs: readonly PlantedBug[] = [
  {
    name: 'vote-not-persisted',
    what: 'The vote is left out of the hard state: a node that restarts votes a second time in the same term.',
    edits: [
      {
        file: 'packages/raft/src/output.ts',
        find: '{ term: core.term, vote: core.vote, commit: log.commit }',
        replace: '{ term: core.term, vote: null, commit: log.commit }',
      },
    ],
    bench: raft,
  },
  {
    name: 'answer-before-sync',
    what: 'Votes and acknowledgements leave before what they vouch for is durable.',
    edits: [
      {
        file: 'packages/raft/src/core.ts',
        find: 'this.messagesAfterPersist.push(message);',
        replace: 'this.messages.push(message);',
      },
    ],
    bench: simulator,
  },
  {
    name: 'commit-old-term-by-counting',
    what: 'An entry of an earlier term is committed as soon as a majority holds it (Figure 8).',
    edits: [
      {
        file: 'packages/raft/src/replication.ts',
        find: 'if (reached <= core.log.commit || core.log.term(reached as LogIndex) !== core.term) return;',
        replace: 'if (reached <= core.log.commit) return;',
      },
    ],
    bench: raft,
  },
  {
    name: 'read-index-without-quorum',
    what: 'A leader confirms its reads itself, without a round of heartbeats.',
    edits: [
      {
        file: 'packages/raft/src/read-index.ts',
        find: 'const confirmed = quorumReached(core.config, core.roundOf);',
        replace: 'const confirmed = core.round;',
      },
    ],
    bench: raft,
  },
  {
    name: 'no-noop-at-term-start',
    what: 'A new leader appends no entry of its own term, and reads from what it knows to be committed.',
    edits: [
      {
        file: 'packages/raft/src/election.ts',
        find: "core.noopIndex = appendAsLeader(core, 'noop', emptyBytes).index;",
        replace: 'core.noopIndex = core.log.commit;',
      },
    ],
    bench: simulator,
  },
  {
    name: 'joint-consensus-one-majority',
    what: 'In a joint configuration the majority of the new members alone elects and commits.',
    edits: [
      {
        file: 'packages/raft/src/quorum.ts',
        find: 'return Math.min(incoming, majorityReached(config.votersOutgoing, reachedBy));',
        replace: 'return incoming;',
      },
      {
        file: 'packages/raft/src/quorum.ts',
        find: 'const outgoing = majorityVote(config.votersOutgoing, votes);',
        replace: 'const outgoing = incoming;',
      },
    ],
    bench: tests('packages/raft/src/paper-membership.test.ts'),
  },
  {
    name: 'truncates-committed-suffix',
    what: 'An append that is late or repeated cuts the log off behind its last entry, acknowledged entries included.',
    edits: [
      {
        file: 'packages/raft/src/log.ts',
        find: '    if (i === entries.length) return;\n',
        replace:
          '    if (i === entries.length) {\n' +
          '      const end = entries.at(-1);\n' +
          '      if (end !== undefined && end.index < this.lastIndex && end.index >= this.#commit) this.#truncateFrom(logIndex(end.index + 1));\n' +
          '      return;\n' +
          '    }\n',
      },
    ],
    bench: simulator,
  },
  {
    name: 'votes-for-a-shorter-log',
    what: 'A vote is given without a look at whether the log of the candidate is up to date (section 5.4.1).',
    edits: [
      {
        file: 'packages/raft/src/election.ts',
        find: 'const granted = free && core.log.isUpToDate(message.lastIndex, message.lastTerm);',
        replace: 'const granted = free;',
      },
    ],
    bench: raft,
  },
  {
    name: 'follower-commits-what-it-has',
    what: 'A follower takes the commit index of the leader for its own log, also behind the entries that are known to match.',
    edits: [
      {
        file: 'packages/raft/src/follower.ts',
        find: 'log.commitTo(Math.min(message.commit, lastNew) as LogIndex);',
        replace: 'log.commitTo(Math.min(message.commit, log.lastIndex) as LogIndex);',
      },
    ],
    bench: tests('packages/raft/src/paper-replication.test.ts'),
  },
  {
    name: 'commits-an-entry-of-another-term',
    what: 'A follower that is told how far is committed does not look whether its entry there is the same.',
    edits: [
      {
        file: 'packages/raft/src/election.ts',
        find: 'if (message.commit <= core.log.commit || core.log.term(message.commit) !== message.commitTerm) return;',
        replace: 'if (message.commit <= core.log.commit || core.log.term(message.commit) === undefined) return;',
      },
    ],
    bench: raft,
  },
  {
    name: 'late-sync-vouches-for-replaced-entries',
    what: 'The end of a sync counts for the entries that have replaced those it wrote.',
    edits: [
      {
        file: 'packages/raft/src/persist-queue.ts',
        find: 'if (persist.durableTo >= index) persist.durableTo = (index - 1) as LogIndex;',
        replace: 'void persist;\n      void index;',
      },
    ],
    bench: raft,
  },
  {
    name: 'snapshot-drops-acknowledged-entries',
    what: 'A snapshot that comes late replaces a log that already goes on behind it (etcd #18055).',
    edits: [
      {
        file: 'packages/raft/src/follower.ts',
        find: 'if (meta.index > log.commit && log.term(meta.index) === meta.term) log.commitTo(meta.index);',
        replace: '',
      },
    ],
    bench: tests('packages/raft/src/others-bugs.test.ts'),
  },
];
