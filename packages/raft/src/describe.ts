import type { Message } from './messages.ts';
import type { ConfigState, Entry, Status } from './types.ts';

/** `voters(outgoing)/learners(next)`, the bracketed and later parts only where there are any. */
export function describeConfig(config: ConfigState): string {
  const joint = config.votersOutgoing.length > 0 ? ` from (${config.votersOutgoing.join(' ')})` : '';
  const learners = config.learners.length > 0 ? ` learners (${config.learners.join(' ')})` : '';
  const next = config.learnersNext.length > 0 ? ` next (${config.learnersNext.join(' ')})` : '';
  return `(${config.voters.join(' ')})${joint}${learners}${next}`;
}

/** `index/term kind bytes`, with the data in full if it is short printable ASCII. */
export function describeEntry(entry: Entry): string {
  if (entry.kind !== 'normal') return `${entry.index}/${entry.term} ${entry.kind}`;
  const short = entry.data.length <= 16 && entry.data.every((byte) => byte > 0x20 && byte < 0x7f);
  const data = short ? `"${String.fromCharCode(...entry.data)}"` : `${entry.data.length}B`;
  return `${entry.index}/${entry.term} ${data}`;
}

/** One line. */
export function describeMessage(message: Message): string {
  const head = `${message.from}->${message.to} ${message.kind} t${message.term}`;
  switch (message.kind) {
    case 'preVote':
      return `${head} last ${message.lastIndex}/${message.lastTerm}`;
    case 'vote':
      return `${head} last ${message.lastIndex}/${message.lastTerm}${message.transfer ? ' transfer' : ''}`;
    case 'preVoteResponse':
    case 'voteResponse':
      return `${head} ${message.granted ? 'granted' : 'refused'}`;
    case 'append':
      return `${head} prev ${message.prevIndex}/${message.prevTerm} commit ${message.commit} [${message.entries.map(describeEntry).join(', ')}]`;
    case 'appendResponse':
      return message.rejected
        ? `${head} rejected ${message.index} hint ${message.hintIndex}/${message.hintTerm}`
        : `${head} match ${message.index}`;
    case 'heartbeat':
      return `${head} commit ${message.commit} round ${message.round}`;
    case 'heartbeatResponse':
      return `${head} round ${message.round}`;
    case 'snapshot':
      return `${head} ${message.meta.index}/${message.meta.term} ${describeConfig(message.meta.config)}`;
    case 'readIndex':
      return head;
    case 'readIndexResponse':
      return `${head} ${message.index ?? 'failed'}`;
    case 'timeoutNow':
      return head;
    case 'commit':
      return `${head} ${message.commit}/${message.commitTerm}`;
  }
}

/** A line for the node, and on a leader one for each peer, in order of id. */
export function describeStatus(status: Status): string {
  const lines = [
    `${status.id} ${status.role} term ${status.term} vote ${status.vote ?? '-'} leader ${status.leader ?? '-'} ` +
      `log ${status.firstIndex}..${status.lastIndex} durable ${status.durableIndex} commit ${status.commit} applied ${status.applied} ` +
      `config ${describeConfig(status.config)}` +
      `${status.storageHealthy ? '' : ' storage unhealthy'}` +
      `${status.transferee === null ? '' : ` transferring to ${status.transferee}`}`,
  ];
  for (const peer of status.peers) {
    lines.push(
      `  ${peer.id} ${peer.state} match ${peer.match} next ${peer.next} inflight ${peer.inflightAppends}${peer.recentActive ? '' : ' inactive'}`,
    );
  }
  return lines.join('\n');
}
