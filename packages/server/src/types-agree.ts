/**
 * Protocol and replica describe the same requests and answers, and may not import each other. This file compiles only
 * while they agree; it holds no code.
 */
import type * as protocol from '@skerry/protocol';
import type * as replica from '@skerry/replica';

/** Does not compile where `From` has a shape that `To` has not. */
type Assignable<From extends To, To> = From;
/** Protocol's table also has the errors of connections, faces and clients. */
type WithReplicaCodes<Answer> = Answer extends { readonly kind: 'error' }
  ? Answer & { readonly code: replica.ReplicaErrorCode }
  : Answer;

export type Agreements = [
  Assignable<protocol.Operation, replica.Operation>,
  Assignable<replica.Operation, protocol.Operation>,
  Assignable<protocol.ControlOperation, replica.ControlOperation>,
  Assignable<replica.ControlOperation, protocol.ControlOperation>,
  Assignable<protocol.ClientRequest, replica.ClientRequest>,
  Assignable<replica.ClientRequest, protocol.ClientRequest>,
  Assignable<replica.ReplicaErrorCode, protocol.ErrorCode>,
  Assignable<replica.Answer, protocol.Answer>,
  Assignable<WithReplicaCodes<protocol.Answer>, replica.Answer>,
];
