import type { NodeId, RegionId, ReplicaId } from '@skerry/base';
import type { ErrorCode } from './errors.ts';
import type { Answer, Causality, ControlOperation, Operation, WriteId } from './operations.ts';

/**
 * Raised with every change of the messages or their layout; the tripwire test demands it. Both sides must have the
 * same one.
 */
export const protocolVersion = 2;

/** Largest frame that a node accepts unless configured otherwise, in bytes. */
export const frameBytesMaxDefault: number = 4 * 1_024 * 1_024;

/** Chosen by the client, unique among its open requests on this connection: 0 to 2^32-1. */
export type RequestId = number;

export type ClientMessage = HelloMessage | RequestMessage | CancelMessage | PingMessage;

/** The first message of a client. Nothing else is taken before it. */
export interface HelloMessage {
  readonly kind: 'hello';
  readonly protocolVersion: number;
  /** null: any cluster. Another cluster's node says goodbye with WRONG_CLUSTER. */
  readonly cluster: string | null;
}

export interface RequestMessage {
  readonly kind: 'request';
  readonly requestId: RequestId;
  readonly operation: Operation | ControlOperation;
  /** Present on writes. */
  readonly id?: WriteId;
  /** null: blocking. */
  readonly timeoutMs: number | null;
  /** Reads only; see {@link Causality}. */
  readonly after?: Causality;
}

/** No answer is wanted any more; also ends a watch. None is owed, one may still come. */
export interface CancelMessage {
  readonly kind: 'cancel';
  readonly requestId: RequestId;
}

/** Answered by a pong with the same nonce, before anything that takes time: finds half-open connections. */
export interface PingMessage {
  readonly kind: 'ping';
  readonly nonce: number;
}

export type ServerMessage =
  | WelcomeMessage
  | AnswerMessage
  | MembersMessage
  | SeenMessage
  | GoodbyeMessage
  | PongMessage;

export interface WelcomeMessage {
  readonly kind: 'welcome';
  readonly protocolVersion: number;
  readonly cluster: string;
  readonly region: RegionId;
  readonly node: NodeId;
  readonly partitionCount: number;
  /** The region's cluster time as far as the node knows it, milliseconds: client ids begin with it and what passed since. */
  readonly nowMs: number;
  readonly limits: ClientLimits;
  readonly members: readonly Member[];
  /** Leader by partition as this node knows it; null: none known. */
  readonly leaders: readonly (NodeId | null)[];
  /** All regions of the cluster, this one included. */
  readonly regions: readonly RegionClients[];
}

/** A region and where its nodes take clients. */
export interface RegionClients {
  readonly region: RegionId;
  readonly clientUrls: readonly string[];
}

/**
 * What the node has applied, before the answers of a turn in which it changed, and after the welcome: the client folds it
 * into its session's token once it is handed an answer of this node. Partitions that did not change may be left out.
 */
export interface SeenMessage {
  readonly kind: 'seen';
  readonly partitions: readonly {
    readonly partition: number;
    /** Entries of each region's log that the node has applied. */
    readonly positions: readonly { readonly origin: ReplicaId; readonly sequence: number }[];
    /** All quorum-less writes that this node accepted up to this sequence are settled. */
    readonly promoted: { readonly replica: ReplicaId; readonly sequence: number };
  }[];
}

export interface ClientLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly txnOperationsMax: number;
  readonly frameBytesMax: number;
  readonly requestsOpenMax: number;
  readonly listLimitMax: number;
}

export interface Member {
  readonly node: NodeId;
  readonly role: 'voter' | 'learner';
  /** '' while the node has not announced itself. */
  readonly clientUrl: string;
  readonly adminUrl: string;
}

export interface AnswerMessage {
  readonly kind: 'answer';
  readonly requestId: RequestId;
  readonly answer: Answer;
}

/** Sent when the directory or a leader changed; replaces what was known. */
export interface MembersMessage {
  readonly kind: 'members';
  readonly members: readonly Member[];
  readonly leaders: readonly (NodeId | null)[];
  readonly regions: readonly RegionClients[];
}

/** The last message before the server closes the connection. */
export interface GoodbyeMessage {
  readonly kind: 'goodbye';
  readonly code: ErrorCode;
  readonly detail: string;
}

export interface PongMessage {
  readonly kind: 'pong';
  readonly nonce: number;
}

/**
 * In place of a request that is bad by itself in a frame that is good otherwise: to be answered with this error; the
 * connection goes on.
 */
export interface RefusedRequest {
  readonly kind: 'refused';
  readonly requestId: RequestId;
  readonly code: ErrorCode;
  readonly detail: string;
}
