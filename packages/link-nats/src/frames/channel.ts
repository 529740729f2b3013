import { randomBytes } from 'node:crypto';
import { isName, regionId, type RegionId } from '@skerry/base';
import { headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import type { LinkContext } from '../context.ts';
import { partBytesOf } from '../limits.ts';
import { token } from '../names.ts';
import { PartJoiner, splitParts, type Part } from '../parts.ts';
import { newContact, parsePong, type Contact, type Pong } from './contact.ts';

const fromHeader = 'Skerry-From';
/** Of a frame in parts: `number/offset/total`, with the sender's node so that parts of two senders never mix. */
const partHeader = 'Skerry-Part';
const senderHeader = 'Skerry-Node';
const queueGroup = 'skerry';

/** What a connection has for the channel. */
interface Attached {
  readonly connection: NatsConnection;
  /** This node's JetStream domain, for those who read its region's log. */
  readonly domain: string | null;
  readonly bounceInbox: string;
  /** Handed to the connection and not yet known to have left. */
  unsentBytes: number;
  flushing: boolean;
}

interface PingUnderWay {
  readonly region: RegionId;
  readonly contact: Contact;
  readonly era: number;
  readonly pinging: symbol;
}

export interface ChannelEvents {
  /** A region answers, for the first time or from another JetStream domain than before. */
  reached(region: RegionId): void;
}

/**
 * Frames over core NATS. A region's nodes share the subject of the region in one queue group. Pings are sent there;
 * the node that answers becomes the contact, which gets all frames on its own subject, so that they keep their order
 * and a large one can go in parts. When it no longer answers, or the server says that it is gone, the next ping finds
 * another.
 */
export class FrameChannel {
  readonly #context: LinkContext;
  readonly #events: ChannelEvents;
  readonly #self: string;
  readonly #contacts = new Map<RegionId, Contact>();
  readonly #cut = new Set<RegionId>();
  /** By sender: what is being put together. Emptied with the connection. */
  readonly #joiners = new Map<string, PartJoiner>();
  readonly #timer: NodeJS.Timeout;
  #attached: Attached | null = null;
  #frameNumber = 0;

  constructor(context: LinkContext, events: ChannelEvents) {
    this.#context = context;
    this.#events = events;
    this.#self = context.names.node(context.region, randomBytes(8).toString('hex'));
    this.#timer = setInterval(() => this.#pingAll(), context.timing.pingMs);
  }

  attach(connection: NatsConnection, domain: string | null): void {
    const { names, region } = this.#context;
    const attached: Attached = {
      connection,
      domain,
      bounceInbox: `${this.#self}.bounce`,
      unsentBytes: 0,
      flushing: false,
    };
    this.#attached = attached;
    const frame = (error: Error | null, message: Msg): void => {
      if (error === null && this.#attached === attached) this.#receive(message);
    };
    const ping = (error: Error | null, message: Msg): void => {
      if (error === null && this.#attached === attached) this.#answerPing(message);
    };
    connection.subscribe(names.frames(region), { queue: queueGroup, callback: frame });
    connection.subscribe(`${this.#self}.frame`, { callback: frame });
    connection.subscribe(names.ping(region), { queue: queueGroup, callback: ping });
    connection.subscribe(`${this.#self}.ping`, { callback: ping });
    connection.subscribe(`${attached.bounceInbox}.*`, { callback: (_error, message) => this.#bounced(message) });
    this.#pingAll();
  }

  detach(): void {
    this.#attached = null;
    this.#joiners.clear();
    for (const [region, contact] of this.#contacts) this.#lose(region, contact);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#attached = null;
  }

  setRegions(regions: readonly RegionId[]): void {
    for (const [region, contact] of this.#contacts) {
      if (regions.includes(region)) continue;
      this.#lose(region, contact);
      this.#contacts.delete(region);
    }
    for (const region of regions) {
      if (region === this.#context.region || this.#contacts.has(region)) continue;
      this.#contacts.set(region, newContact());
      this.#ping(region);
    }
  }

  cut(region: RegionId): void {
    this.#cut.add(region);
    const contact = this.#contacts.get(region);
    if (contact !== undefined) this.#lose(region, contact);
  }

  heal(region: RegionId): void {
    if (this.#cut.delete(region)) this.#ping(region);
  }

  isCut(region: RegionId): boolean {
    return this.#cut.has(region);
  }

  /** The JetStream domain that the region's node named last; null: none known. */
  domainOf(region: RegionId): string | null {
    return this.#contacts.get(region)?.domain ?? null;
  }

  /** The node that frames for the region go to; null: any of it, or the region is down. */
  contactOf(region: RegionId): string | null {
    const contact = this.#contacts.get(region);
    return contact === undefined || contact.node === null || !contact.up ? null : contact.name;
  }

  /** Frames handed to the connection that may not have left it. */
  unsentBytes(): number {
    return this.#attached?.unsentBytes ?? 0;
  }

  send(region: RegionId, frame: Uint8Array): void {
    const { counters, limits, names } = this.#context;
    const contact = this.#contacts.get(region);
    const attached = this.#attached;
    if (this.#cut.has(region)) {
      counters.frames_dropped_cut_total++;
      return;
    }
    if (attached === null || contact === undefined) {
      counters.frames_dropped_unreachable_total++;
      return;
    }
    const size = partBytesOf(attached.connection, limits);
    if (frame.length > limits.bytesMax || (frame.length > size && contact.node === null)) {
      counters.frames_dropped_oversized_total++;
      return;
    }
    if (attached.unsentBytes + frame.length > limits.unsentBytesMax && attached.unsentBytes > 0) {
      counters.frames_dropped_unsent_total++;
      return;
    }
    counters.frames_sent_total++;
    const subject = contact.node === null ? names.frames(region) : `${contact.node}.frame`;
    this.#frameNumber++;
    const reply = `${attached.bounceInbox}.${token(region)}`;
    for (const part of splitParts(frame, size)) {
      attached.connection.publish(subject, part.bytes, { headers: this.#headers(part), reply });
    }
    this.#countUnsent(attached, frame.length);
  }

  #headers(part: Part): MsgHdrs {
    const made = headers();
    made.set(fromHeader, this.#context.region);
    if (part.bytes.length !== part.total) {
      made.set(senderHeader, this.#self);
      made.set(partHeader, `${this.#frameNumber}/${part.offset}/${part.total}`);
    }
    return made;
  }

  /** The library buffers without end; what has left shows by flushes that are answered, one at a time. */
  #countUnsent(attached: Attached, bytes: number): void {
    attached.unsentBytes += bytes;
    if (attached.flushing || attached.unsentBytes === 0) return;
    attached.flushing = true;
    const covered = attached.unsentBytes;
    attached.connection.flush().then(
      () => {
        attached.flushing = false;
        this.#countUnsent(attached, -covered);
      },
      () => {},
    );
  }

  #receive(message: Msg): void {
    const { counters, limits, events } = this.#context;
    const from = sender(message);
    if (from === null) {
      counters.frames_malformed_total++;
      return;
    }
    if (!this.#contacts.has(from) || this.#cut.has(from)) {
      counters.frames_unwelcome_total++;
      return;
    }
    const found = message.headers;
    let frame: Uint8Array | string = message.data;
    if (found?.has(partHeader) === true) {
      const [number = '', offset, total] = found.get(partHeader).split('/');
      const node = found.get(senderHeader);
      let joiner = this.#joiners.get(node);
      if (joiner === undefined) this.#joiners.set(node, (joiner = new PartJoiner(limits.bytesMax)));
      frame = joiner.add(number, { offset: Number(offset), total: Number(total), bytes: message.data });
      if (frame === 'broken') counters.frames_malformed_total++;
      // A sender that is gone leaves nothing behind.
      else if (frame !== 'waiting') this.#joiners.delete(node);
    }
    if (typeof frame === 'string') return;
    counters.frames_received_total++;
    events.receive(from, frame);
  }

  #answerPing(message: Msg): void {
    const from = sender(message);
    const contact = from === null ? undefined : this.#contacts.get(from);
    // Who would not take its frames does not say that they get through.
    if (from === null || contact === undefined || this.#cut.has(from)) return;
    const pong: Pong = { node: this.#self, name: this.#context.node, domain: this.#attached?.domain ?? null };
    message.respond(JSON.stringify(pong));
    // It is there again: the ping that was lost is not waited for.
    if (contact.up || performance.now() - contact.pingedAtMs < this.#context.timing.pingMs / 4) return;
    contact.pinging = null;
    this.#ping(from);
  }

  #pingAll(): void {
    for (const region of this.#contacts.keys()) this.#ping(region);
  }

  #ping(region: RegionId): void {
    const contact = this.#contacts.get(region);
    const attached = this.#attached;
    if (attached === null || contact === undefined || contact.pinging !== null || this.#cut.has(region)) return;
    contact.pingedAtMs = performance.now();
    const pinging = (contact.pinging = Symbol('ping'));
    const made = headers();
    made.set(fromHeader, this.#context.region);
    const asked = contact.node;
    const subject = asked === null ? this.#context.names.ping(region) : `${asked}.ping`;
    const options = { timeout: this.#context.timing.pingTimeoutMs, headers: made };
    const ping = { region, contact, era: contact.era, pinging };
    attached.connection.request(subject, '', options).then(
      (answer) => this.#settled(ping, parsePong(answer.string())),
      () => this.#settled(ping, null),
    );
  }

  #settled(ping: PingUnderWay, pong: Pong | null): void {
    const { region, contact, era, pinging } = ping;
    // A late answer is as good as a timely one, unless the region was let go or cut in between.
    if (contact.era !== era || this.#contacts.get(region) !== contact) return;
    if (contact.pinging === pinging) contact.pinging = null;
    else if (pong === null) return;
    if (pong === null) return this.#missed(region, contact);
    const news = !contact.up || contact.domain !== pong.domain;
    contact.pingsMissed = 0;
    contact.node = pong.node;
    contact.name = pong.name;
    contact.domain = pong.domain;
    if (!contact.up) {
      contact.up = true;
      this.#context.events.regionUp(region);
    }
    if (news) this.#events.reached(region);
  }

  #missed(region: RegionId, contact: Contact): void {
    const { counters, timing } = this.#context;
    counters.pings_missed_total++;
    contact.pingsMissed++;
    const hadNode = contact.node !== null;
    contact.node = null;
    if (contact.pingsMissed >= timing.pingsMissedMax) this.#lose(region, contact);
    // That node is gone or hangs; any other of its region will do.
    else if (hadNode) this.#ping(region);
  }

  /** Pings under way are forgotten. */
  #lose(region: RegionId, contact: Contact): void {
    contact.node = null;
    contact.pinging = null;
    contact.era++;
    contact.pingsMissed = 0;
    if (!contact.up) return;
    contact.up = false;
    this.#context.events.regionDown(region);
  }

  /** Nobody listened where the frame went: the contact is gone. */
  #bounced(message: Msg): void {
    if (message.headers?.code !== 503) return;
    const last = message.subject.split('.').at(-1);
    const region = [...this.#contacts.keys()].find((candidate) => token(candidate) === last);
    const contact = region === undefined ? undefined : this.#contacts.get(region);
    if (region === undefined || contact === undefined || contact.node === null) return;
    contact.node = null;
    this.#ping(region);
  }
}

/** The region that sent it, as it says. */
function sender(message: Msg): RegionId | null {
  const name = message.headers?.get(fromHeader) ?? '';
  return isName(name) ? regionId(name) : null;
}
