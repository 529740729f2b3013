/** What a conditional write needs to know of what was read: a value, or a revision. */
export interface Read {
  readonly value: string | null;
  readonly revision?: number | string;
}

/**
 * One connection to a system through its own client. Methods that a system does not have are absent. All reject when
 * the call was not done.
 */
export interface Session {
  /** Acknowledged with the durability that the system's settings give. */
  readonly set: (key: string, value: string) => Promise<unknown>;
  /** As consistent as the system reads by default, or more so where it can. */
  readonly get: (key: string) => Promise<Read>;
  /** Acknowledged without a quorum. */
  readonly weakSet?: (key: string, value: string) => Promise<unknown>;
  /** Of what one server holds, without asking others. */
  readonly localGet?: (key: string) => Promise<unknown>;
  /** Sets `value` if the key is still as `read`; else what there is instead. */
  readonly swap?: (key: string, value: string, read: Read) => Promise<{ readonly done: boolean; readonly read: Read }>;
  readonly add?: (key: string) => Promise<unknown>;
  /** Many at once, as fast as the system takes them; for filling before a measurement. */
  readonly fill: (entries: readonly (readonly [key: string, value: string])[]) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

/** Which client to use, and where its servers listen. Crosses to the generator's process as JSON. */
export interface Target {
  readonly client: 'skerry' | 'etcd' | 'nats' | 'redis';
  readonly endpoints: readonly string[];
  /** Connections of one generator; calls are dealt out in turn. */
  readonly connections: number;
}
