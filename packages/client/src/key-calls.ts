import type { RegionId } from '@skerry/base';
import type { ControlOperation, Operation } from '@skerry/protocol';
import { expect } from './answers.ts';
import type { CallRequest, CallResult } from './pending.ts';
import type { Regions } from './regions.ts';
import { SeenVersions } from './seen.ts';
import { isQuorumless, traitsOf } from './traits.ts';
import type { CallOptions, CatchUpOptions, ReadOptions } from './types.ts';
import type { KeyResult } from './values.ts';

const timeoutMsDefault = 1_000;

export type ReadOfKey = Extract<Operation, { readonly kind: 'get' | 'read' }>;
type OperationOnKey = Extract<Operation, { readonly key: string }>;

/** Shapes a result as nothing but itself. */
export function itself<T>(value: T): T {
  return value;
}

/**
 * Calls, and what is known of the keys they were about. Each makes one promise, whatever is made of its result: a second
 * one for each layer takes more time than the rest of a call.
 */
export class KeyCalls {
  readonly #regions: Regions;
  readonly #seen: SeenVersions;

  constructor(regions: Regions, seenKeysMax: number) {
    this.#regions = regions;
    this.#seen = new SeenVersions(seenKeysMax);
  }

  /** What is read, and not older than what this client saw of the key, or `behind`; as `shape` makes it. */
  read<T>(operation: ReadOfKey, options: ReadOptions, shape: (answer: KeyResult) => T): Promise<T> {
    const { key, consistent } = operation;
    return this.call(operation, options, (answer) => {
      if (!consistent && answer.valid && this.#seen.isBehind(key, answer.version))
        return this.#catchUp(operation, answer, options).then(shape);
      if (answer.valid) this.#seen.note(key, answer.version, consistent && answer.behind !== true);
      return shape(answer);
    });
  }

  /** A local read went back. The region's quorum may know better, if there is one to ask in time. */
  async #catchUp(
    { r: _, ...operation }: ReadOfKey,
    local: KeyResult,
    { timeoutMs = timeoutMsDefault, signal }: ReadOptions,
  ): Promise<KeyResult> {
    const answer = await this.call(
      { ...operation, consistent: true },
      { blocking: false, timeoutMs, ...(signal === undefined ? {} : { signal }) },
      itself,
    );
    if (!answer.valid) return { ...local, behind: true };
    this.#seen.note(operation.key, answer.version, true);
    return this.#seen.isBehind(operation.key, answer.version) ? { ...answer, behind: true } : answer;
  }

  call<T>(
    operation: OperationOnKey,
    options: CallOptions,
    shape: (answer: KeyResult) => T | PromiseLike<T>,
  ): Promise<T> {
    return this.#regions.call(this.#requestOf(operation, options, null), (result) =>
      shape(this.#keyResult(operation, result)),
    );
  }

  #keyResult(operation: OperationOnKey, { settlement, ticket, behind }: CallResult): KeyResult {
    if (settlement.kind === 'expired') {
      const { outcome } = settlement;
      return {
        valid: false,
        timeout: true,
        value: null,
        version: null,
        ...(outcome === null ? {} : { outcome }),
        ...(ticket === null ? {} : { ticket }),
      };
    }
    const given = expect(settlement.answer, 'key');
    const answer: KeyResult = behind && given.valid ? { ...given, behind: true } : given;
    if (operation.kind !== 'get' && operation.kind !== 'read' && answer.version !== null)
      this.#seen.note(operation.key, answer.version, answer.receipt === undefined);
    if (isQuorumless(operation)) {
      const { ticket: _, ...rest } = answer;
      return rest;
    }
    return ticket === null || answer.ticket !== undefined ? answer : { ...answer, ticket };
  }

  /** Any operation, of any region or of one alone. */
  ask(
    operation: Operation | ControlOperation,
    options: CallOptions & CatchUpOptions,
    region: RegionId | null,
  ): Promise<CallResult> {
    return this.#regions.call(this.#requestOf(operation, options, region), itself);
  }

  /** A consistent answer that did not come as that of a call on one key. */
  saw(key: string, version: string | null): void {
    this.#seen.note(key, version, true);
  }

  #requestOf(
    operation: Operation | ControlOperation,
    { blocking = true, timeoutMs = timeoutMsDefault, catchUpMs, signal }: CallOptions & CatchUpOptions,
    region: RegionId | null,
  ): CallRequest {
    const traits = traitsOf(operation, this.#regions.welcome?.partitionCount ?? 1);
    const { partition, write, resolvable, repeatable, patient, shows, bytes } = traits;
    return {
      operation,
      timeoutMs: blocking ? null : timeoutMs,
      catchUpMs: catchUpMs ?? null,
      signal,
      region,
      partition,
      write,
      resolvable,
      repeatable,
      patient,
      shows,
      bytes,
    };
  }
}
