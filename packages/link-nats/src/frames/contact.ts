/** Where frames for one other region go. */
export interface Contact {
  /** The one node that gets them, by its own subject; null: any node, by the region's subject. */
  node: string | null;
  /** How that node is called. */
  name: string | null;
  /** JetStream domain of that region's NATS; null: the same as here, or none. Kept when the region is lost. */
  domain: string | null;
  up: boolean;
  pingsMissed: number;
  /** The ping that is waited for. */
  pinging: symbol | null;
  pingedAtMs: number;
  /** Grows when the region is lost: answers to pings from before count no more. */
  era: number;
}

export function newContact(): Contact {
  return {
    node: null,
    name: null,
    domain: null,
    up: false,
    pingsMissed: 0,
    pinging: null,
    pingedAtMs: -Infinity,
    era: 0,
  };
}

/** The answer to a ping, as JSON. */
export interface Pong {
  readonly node: string;
  readonly name: string | null;
  readonly domain: string | null;
}

/** null: not an answer to a ping. */
export function parsePong(text: string): Pong | null {
  try {
    const { node, name, domain } = JSON.parse(text) as { node?: unknown; name?: unknown; domain?: unknown };
    if (typeof node !== 'string' || !/^[\w.=-]+$/.test(node)) return null;
    return { node, name: textOf(name), domain: textOf(domain) };
  } catch {
    return null;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
