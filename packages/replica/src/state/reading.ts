import type { ReplicaId } from '@skerry/base';

/** The readings that every command of a batch shares. */
export interface Reading {
  readonly wallMs: number;
  readonly clampMs: number;
  readonly replica: ReplicaId;
  readonly valueBytesMax: number;
}
