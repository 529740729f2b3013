/** What a direct link counts since its start. */
export interface LinkCounters {
  framesSent: number;
  framesReceived: number;
  messagesSent: number;
  bytesSent: number;
  bytesReceived: number;
  /** Frames not sent, by reason. */
  droppedUnreachable: number;
  droppedCut: number;
  droppedUnsent: number;
  droppedOversized: number;
  /** Bytes taken from the replica that no socket had taken when their connection ended. */
  bytesLost: number;
  /** Messages that were none. */
  malformed: number;
  connectionsLost: number;
}

export function newCounters(): LinkCounters {
  return {
    framesSent: 0,
    framesReceived: 0,
    messagesSent: 0,
    bytesSent: 0,
    bytesReceived: 0,
    droppedUnreachable: 0,
    droppedCut: 0,
    droppedUnsent: 0,
    droppedOversized: 0,
    bytesLost: 0,
    malformed: 0,
    connectionsLost: 0,
  };
}

/** Flat, under the names that every link uses (see the link port) and more of its own. */
export function metricsOf(counters: LinkCounters): Record<string, number> {
  const { droppedUnreachable, droppedCut, droppedUnsent, droppedOversized } = counters;
  return {
    link_frames_sent_total: counters.framesSent,
    link_frames_received_total: counters.framesReceived,
    link_frames_dropped_total: droppedUnreachable + droppedCut + droppedUnsent + droppedOversized,
    link_malformed_total: counters.malformed,
    link_frames_dropped_unreachable_total: droppedUnreachable,
    link_frames_dropped_cut_total: droppedCut,
    link_frames_dropped_unsent_total: droppedUnsent,
    link_frames_dropped_oversized_total: droppedOversized,
    link_messages_sent_total: counters.messagesSent,
    link_sent_bytes_total: counters.bytesSent,
    link_received_bytes_total: counters.bytesReceived,
    link_lost_bytes_total: counters.bytesLost,
    link_connections_lost_total: counters.connectionsLost,
  };
}
