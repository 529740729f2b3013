import type { RegionId } from '@skerry/base';
import type { Member, RegionClients } from '@skerry/protocol';

/** What nodes tell of themselves and of other regions. */
export interface Told {
  readonly members: readonly Member[];
  readonly regions: readonly RegionClients[];
}

/** Given endpoints come before those learned from nodes. `http:` is taken for `ws:`. */
export function endpointUrl(text: string): string {
  const url = new URL(text.includes('://') ? text : `ws://${text}`);
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new TypeError(`not an endpoint: ${text}`);
  return url.href;
}

/** None for a node that announces nonsense, or nothing: it is not worth losing the others for. */
export function endpointUrls(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    if (text === '') return [];
    try {
      return [endpointUrl(text)];
    } catch {
      return [];
    }
  });
}

/** Which endpoints there are, and which region each belongs to, as far as is known. */
export class Directory {
  readonly #given: readonly string[];
  readonly #discover: boolean;
  /** Of given endpoints, by what welcomes from them said, or nodes announced. */
  readonly #regionOf = new Map<string, RegionId>();
  readonly #members = new Map<RegionId, readonly string[]>();
  #announced = new Map<RegionId, readonly string[]>();

  constructor(endpoints: readonly string[], discover: boolean) {
    this.#given = endpoints.map(endpointUrl);
    this.#discover = discover;
  }

  /** Those of the given endpoints first, in their order. A region with no known endpoint is left out. */
  get regions(): RegionId[] {
    const given = this.#given.map((url) => this.#regionOf.get(url)).filter((region) => region !== undefined);
    return [...new Set([...given, ...(this.#discover ? this.#announced.keys() : [])])].filter((region) =>
      this.#isIn(region),
    );
  }

  /** Where to look for nodes of `region`; null: of any. Given endpoints of which nothing is known may be of every region. */
  urlsOf(region: RegionId | null): readonly string[] {
    if (region === null) return this.#given;
    const given = this.#given.filter((url) => (this.#regionOf.get(url) ?? region) === region);
    const learned = this.#discover
      ? [...(this.#members.get(region) ?? []), ...(this.#announced.get(region) ?? [])]
      : [];
    return [...new Set([...given, ...learned])];
  }

  /** A node of `region` said welcome at this endpoint. */
  note(url: string, region: RegionId): void {
    if (this.#given.includes(url)) this.#regionOf.set(url, region);
  }

  /** A node of `region` told this; it replaces what was told before. */
  tell(region: RegionId, { members, regions }: Told): void {
    this.#members.set(region, endpointUrls(members.map(({ clientUrl }) => clientUrl)));
    this.#announced = new Map(regions.map((each) => [each.region, endpointUrls(each.clientUrls)]));
    for (const [name, urls] of this.#announced) {
      for (const url of urls) if (this.#given.includes(url) && !this.#regionOf.has(url)) this.#regionOf.set(url, name);
    }
  }

  #isIn(region: RegionId): boolean {
    return [...this.#regionOf.values()].includes(region) || (this.#announced.get(region) ?? []).length > 0;
  }
}
