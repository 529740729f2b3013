/** Whether and where a caller may try again. `later`: after a back-off, on any node. */
export type RetryAdvice = 'no' | 'sameNode' | 'otherNode' | 'later';

export interface ErrorEntry {
  /** One sentence for people; what exactly was wrong stands in the error's detail. */
  readonly text: string;
  readonly httpStatus: number;
  /**
   * The attempt that was answered so has had no effect and never will have one. It says nothing of earlier attempts of
   * the same call, and an error that carries a ticket is indefinite whatever stands here. When in doubt: false.
   */
  readonly definite: boolean;
  readonly retry: RetryAdvice;
}

/**
 * The one table of errors: everything that a call can fail with, whether a replica, a connection, the HTTP face or the
 * client itself says so. `docs/errors.md` is generated from it.
 */
export const errorTable = {
  // What a replica answers.
  BAD_REQUEST: { text: 'The request is not well formed.', httpStatus: 400, definite: true, retry: 'no' },
  KEY_EMPTY: { text: 'A key has at least one byte.', httpStatus: 400, definite: true, retry: 'no' },
  KEY_TOO_LONG: { text: 'The key is longer than this cluster allows.', httpStatus: 400, definite: true, retry: 'no' },
  KEY_NOT_UTF8: { text: 'The key is not well-formed Unicode text.', httpStatus: 400, definite: true, retry: 'no' },
  VALUE_TOO_LARGE: {
    text: 'The value is larger than this cluster allows.',
    httpStatus: 413,
    definite: true,
    retry: 'no',
  },
  TXN_TOO_LARGE: {
    text: 'The transaction has more operations than this cluster allows.',
    httpStatus: 413,
    definite: true,
    retry: 'no',
  },
  CROSS_PARTITION: {
    text: 'The keys of a transaction, or of a lease, must lie in one partition.',
    httpStatus: 400,
    definite: true,
    retry: 'no',
  },
  WRONG_TYPE: { text: 'The key holds a value of another type.', httpStatus: 409, definite: true, retry: 'no' },
  LIMIT_EXCEEDED: {
    text: 'The value would outgrow a limit of its type: siblings, elements, or the size or history of a document.',
    httpStatus: 413,
    definite: true,
    retry: 'no',
  },
  REGION_UNKNOWN: { text: 'There is no such region.', httpStatus: 404, definite: true, retry: 'no' },
  LEASE_NOT_FOUND: {
    text: 'There is no such lease: it ended or was never granted.',
    httpStatus: 404,
    definite: true,
    retry: 'no',
  },
  LEASE_EXISTS: { text: 'A lease of this id is already granted.', httpStatus: 409, definite: true, retry: 'no' },
  SESSION_EXPIRED: {
    text: 'The region has forgotten this client session. This attempt was not applied; of an earlier attempt of the same call it says nothing.',
    httpStatus: 409,
    definite: true,
    retry: 'no',
  },
  SEQUENCE_ANSWERED: {
    text: 'The client said before that it has the answer to this write; its result is no longer kept.',
    httpStatus: 409,
    definite: false,
    retry: 'no',
  },
  RECEIPT_UNKNOWN: {
    text: 'Nothing is known of this receipt: it is not of this region, or too old.',
    httpStatus: 404,
    definite: true,
    retry: 'no',
  },
  TICKET_UNKNOWN: {
    text: 'Nothing is known of this ticket: it is not of this region, or too old.',
    httpStatus: 404,
    definite: true,
    retry: 'no',
  },
  CURSOR_INVALID: { text: 'The cursor was not made by this region.', httpStatus: 400, definite: true, retry: 'no' },
  OVERLOADED: {
    text: 'Too many requests are open; this one was not started.',
    httpStatus: 503,
    definite: true,
    retry: 'later',
  },
  PENDING_FULL: {
    text: 'The node holds as many pending writes as it may.',
    httpStatus: 507,
    definite: true,
    retry: 'otherNode',
  },
  STORAGE_FULL: {
    text: 'The disk is full; reads go on, writes wait for space.',
    httpStatus: 507,
    definite: true,
    retry: 'later',
  },
  MEMBER_UNKNOWN: { text: 'There is no such member.', httpStatus: 404, definite: true, retry: 'no' },
  MEMBER_EXISTS: { text: 'There is already such a member.', httpStatus: 409, definite: true, retry: 'no' },
  NO_LEADER: { text: 'The partition has no leader at the moment.', httpStatus: 503, definite: true, retry: 'later' },
  STOPPING: { text: 'The node is shutting down.', httpStatus: 503, definite: false, retry: 'otherNode' },

  // What a connection is refused or closed with. What it carried may have been executed, so what can come late is indefinite.
  MALFORMED_FRAME: {
    text: 'The frame is not what the protocol describes.',
    httpStatus: 400,
    definite: false,
    retry: 'no',
  },
  FRAME_TOO_LARGE: {
    text: 'The frame is larger than this node accepts.',
    httpStatus: 413,
    definite: false,
    retry: 'no',
  },
  PROTOCOL_VERSION: {
    text: 'The two sides speak different versions of the protocol.',
    httpStatus: 400,
    definite: true,
    retry: 'otherNode',
  },
  WRONG_CLUSTER: { text: 'This node belongs to another cluster.', httpStatus: 421, definite: true, retry: 'otherNode' },
  WRONG_INCARNATION: {
    text: 'The node was known with another data folder.',
    httpStatus: 421,
    definite: true,
    retry: 'no',
  },
  SLOW_CONSUMER: {
    text: 'The client does not read what it is sent.',
    httpStatus: 503,
    definite: false,
    retry: 'later',
  },
  IDLE: { text: 'The other side was silent for too long.', httpStatus: 408, definite: false, retry: 'later' },
  UNKNOWN_FIELD: {
    text: 'The request has a field that is not known here.',
    httpStatus: 400,
    definite: true,
    retry: 'no',
  },
  UNKNOWN_OPERATION: { text: 'The operation is not known here.', httpStatus: 400, definite: true, retry: 'no' },

  // What the HTTP faces add.
  NOT_FOUND: { text: 'There is nothing at this address.', httpStatus: 404, definite: true, retry: 'no' },
  METHOD_NOT_ALLOWED: { text: 'This address does not take this method.', httpStatus: 405, definite: true, retry: 'no' },
  UNSUPPORTED_MEDIA_TYPE: {
    text: 'The body has a content type that is not taken here.',
    httpStatus: 415,
    definite: true,
    retry: 'no',
  },
  PRECONDITION_FAILED: {
    text: 'The key does not have the version that the request asks for.',
    httpStatus: 412,
    definite: true,
    retry: 'no',
  },
  FAULT_INJECTION_OFF: {
    text: 'The node was not started with --unsafe-fault-injection.',
    httpStatus: 403,
    definite: true,
    retry: 'no',
  },

  // What the client itself says.
  CONNECTION_LOST: {
    text: 'The connection ended before the answer came.',
    httpStatus: 502,
    definite: false,
    retry: 'otherNode',
  },
  NO_ENDPOINT: { text: 'No node could be reached; nothing was sent.', httpStatus: 503, definite: true, retry: 'later' },
  ABORTED: { text: 'The caller aborted the call.', httpStatus: 499, definite: false, retry: 'no' },
  TIMEOUT: { text: 'The answer did not come in time.', httpStatus: 504, definite: false, retry: 'later' },
  CLOSED: { text: 'The client was closed.', httpStatus: 499, definite: false, retry: 'no' },
  VALUE_NOT_TEXT: {
    text: "The value is not UTF-8; read it with as: 'bytes'.",
    httpStatus: 422,
    definite: true,
    retry: 'no',
  },
} as const;

export type ErrorCode = keyof typeof errorTable;

export const errorCodes: readonly ErrorCode[] = Object.keys(errorTable) as ErrorCode[];

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}

/** The table's row, with the row's own literals widened. */
export function errorEntry(code: ErrorCode): ErrorEntry {
  return errorTable[code];
}

/** A frame or a handshake that cannot be gone on with: the connection ends with this code as the reason. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ErrorCode;
  readonly detail: string;

  constructor(code: ErrorCode, detail: string) {
    super(`${code}: ${errorTable[code].text} (${detail})`);
    this.code = code;
    this.detail = detail;
  }
}
