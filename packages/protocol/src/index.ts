export {
  errorCodes,
  errorEntry,
  errorTable,
  isErrorCode,
  ProtocolError,
  type ErrorCode,
  type ErrorEntry,
  type RetryAdvice,
} from './errors.ts';
export type * from './operations.ts';
export {
  frameBytesMaxDefault,
  protocolVersion,
  type AnswerMessage,
  type CancelMessage,
  type ClientLimits,
  type ClientMessage,
  type GoodbyeMessage,
  type HelloMessage,
  type Member,
  type MembersMessage,
  type PingMessage,
  type PongMessage,
  type RefusedRequest,
  type RegionClients,
  type RequestId,
  type RequestMessage,
  type SeenMessage,
  type ServerMessage,
  type WelcomeMessage,
} from './messages.ts';
export { decodeClientFrame, decodeServerFrame, encodeFrame, isRead, isWrite } from './codec.ts';
export { partitionOf } from './partition.ts';
export { answerSchema, clientMessageSchema, jsonSchemaOf, operationSchema, serverMessageSchema } from './schemas.ts';
export {
  httpKeyResponseSchema,
  httpListResponseSchema,
  httpProblemSchema,
  httpReceiptResponseSchema,
  httpSwapBodySchema,
  httpWatchEventSchema,
  type HttpEntry,
  type HttpKeyResponse,
  type HttpListResponse,
  type HttpProblem,
  type HttpReceiptResponse,
  type HttpSwapBody,
  type HttpWatchEvent,
} from './http.ts';
export {
  httpConflictsResponseSchema,
  httpCounterBodySchema,
  httpDocumentBodySchema,
  httpFlagBodySchema,
  httpMultiBodySchema,
  httpRegionsResponseSchema,
  httpSetBodySchema,
  httpViewSchema,
  type HttpConflictsResponse,
  type HttpCounterBody,
  type HttpDocumentBody,
  type HttpFlagBody,
  type HttpMultiBody,
  type HttpRegionsResponse,
  type HttpSetBody,
  type HttpView,
} from './http-values.ts';
export { openApiDocument } from './openapi.ts';
export { parseTicket, ticketText, type Ticket } from './ticket.ts';
export { parseReceipt, type ReceiptName } from './receipt.ts';
