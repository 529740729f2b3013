/** What the link did and what it dropped, since it was made. */
export interface LinkCounters {
  connects_total: number;
  /** Attempts to connect that failed. */
  connect_failures_total: number;
  frames_sent_total: number;
  frames_received_total: number;
  /** Not sent: no connection, or the region is not known. */
  frames_dropped_unreachable_total: number;
  frames_dropped_cut_total: number;
  /** Not sent: too much of what was sent before has not left yet. */
  frames_dropped_unsent_total: number;
  /** Not sent: larger than the limit, or in parts for a region of which no node has answered yet. */
  frames_dropped_oversized_total: number;
  /** Came and was not delivered: from a region that is not known or is cut off. */
  frames_unwelcome_total: number;
  /** Parts and headers that made no sense. */
  frames_malformed_total: number;
  pings_missed_total: number;
  log_batches_published_total: number;
  /** Acknowledged as known already. */
  log_duplicates_total: number;
  log_publish_failures_total: number;
  /** The queue was full. */
  log_batches_dropped_total: number;
  /** Larger than the link or the stream takes. */
  log_batches_refused_total: number;
  log_batches_received_total: number;
  log_malformed_total: number;
  /** A reader looked for its position again: first subscription, loss of the consumer, stall, reconnect. */
  log_seeks_total: number;
  /** Found by the audit: the log held more than came, or less than had come. */
  log_stalls_total: number;
  log_read_failures_total: number;
}

export function newCounters(): LinkCounters {
  return {
    connects_total: 0,
    connect_failures_total: 0,
    frames_sent_total: 0,
    frames_received_total: 0,
    frames_dropped_unreachable_total: 0,
    frames_dropped_cut_total: 0,
    frames_dropped_unsent_total: 0,
    frames_dropped_oversized_total: 0,
    frames_unwelcome_total: 0,
    frames_malformed_total: 0,
    pings_missed_total: 0,
    log_batches_published_total: 0,
    log_duplicates_total: 0,
    log_publish_failures_total: 0,
    log_batches_dropped_total: 0,
    log_batches_refused_total: 0,
    log_batches_received_total: 0,
    log_malformed_total: 0,
    log_seeks_total: 0,
    log_stalls_total: 0,
    log_read_failures_total: 0,
  };
}

/** Flat, under the names that every link uses (see the link suite) and more of its own. */
export function metricsOf(counters: LinkCounters): Record<string, number> {
  const {
    frames_dropped_unreachable_total: unreachable,
    frames_dropped_cut_total: cut,
    frames_dropped_unsent_total: unsent,
    frames_dropped_oversized_total: oversized,
  } = counters;
  return {
    ...Object.fromEntries(Object.entries(counters).map(([name, value]) => [`link_${name}`, value])),
    link_frames_dropped_total: unreachable + cut + unsent + oversized,
    link_malformed_total: counters.frames_malformed_total + counters.log_malformed_total,
  };
}
