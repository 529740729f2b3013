import { utf8Encode, type PartitionId, type RegionId, type ReplicaId } from '@skerry/base';

/**
 * Subjects and stream names. A name of the house becomes one subject token: letters, digits and `-` stay, every other
 * byte becomes `=hh`. So no two names meet in one token, and no name can hold a wildcard or a further token.
 */
export function token(name: string): string {
  return [...utf8Encode(name)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** All names of one cluster (system of regions). No two of these subjects overlap. */
export class Names {
  readonly #root: string;
  readonly #cluster: string;

  constructor(cluster: string) {
    this.#cluster = token(cluster);
    this.#root = `skerry.${this.#cluster}`;
  }

  /** Frames for any node of the region; its nodes listen in one queue group. */
  frames(region: RegionId): string {
    return `${this.#root}.frame.${token(region)}`;
  }

  /** Asks any node of the region whether it is there. */
  ping(region: RegionId): string {
    return `${this.#root}.ping.${token(region)}`;
  }

  /** One node of the region, as its answer to a ping names it. Frames and pings for it go below. */
  node(region: RegionId, link: string): string {
    return `${this.#root}.node.${token(region)}.${link}`;
  }

  /** The stream of everything that this region committed first. */
  stream(region: RegionId): string {
    return `SKERRY_${this.#cluster}_${token(region)}`;
  }

  /** What the stream of that region takes, as a wildcard. */
  logs(region: RegionId): string {
    return `${this.#root}.log.${token(region)}.>`;
  }

  log(region: RegionId, partition: PartitionId, origin: ReplicaId): string {
    return `${this.#root}.log.${token(region)}.${partition}.${originHex(origin)}`;
  }
}

/** Twelve hex digits. */
export function originHex(origin: ReplicaId): string {
  return origin.toString(16).padStart(12, '0');
}
