import { spawnSync } from 'node:child_process';
import type { RegionOptions } from './region.ts';

const inUse = new Set<Networks>();
process.on('exit', () => {
  for (const networks of inUse) networks.remove();
});

/** Second byte of the addresses of the next region that gets networks, in this process. */
let subnetNext = 0;

/**
 * A network namespace for each node, joined by a bridge: what one node hears of another is decided by the firewall in its
 * own namespace, packet by packet, as a switch or a cable would. This process is on the bridge too, as the clients.
 */
export class Networks {
  readonly #tag: string;
  readonly #subnet: string;
  readonly #nodes: readonly string[];

  private constructor(tag: string, subnet: string, nodes: readonly string[]) {
    this.#tag = tag;
    this.#subnet = subnet;
    this.#nodes = nodes;
  }

  /** Why it could not be had here, as text. */
  static create(nodes: readonly string[]): Networks | string {
    const number = subnetNext++;
    // Two runs on one machine do not meet: the bytes come from the process id.
    const tag = `sk${process.pid}x${number}`.slice(-10);
    const subnet = `10.${100 + (process.pid % 100)}.${(Math.floor(process.pid / 100) + number) % 250}`;
    const networks = new Networks(tag, subnet, nodes);
    inUse.add(networks);
    const problem = networks.#build();
    if (problem === null) return networks;
    networks.remove();
    return problem;
  }

  get regionOptions(): Pick<RegionOptions, 'host' | 'runner' | 'nodes'> {
    return {
      nodes: this.#nodes.length,
      host: (node) => this.#address(node),
      runner: (node) => ['ip', 'netns', 'exec', this.#space(node)],
    };
  }

  /** `to` hears nothing of `from` any more; what it says itself still arrives there. */
  cutOneWay(from: string, to: string): void {
    this.#drop(to, from, []);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Of the packets that `to` is sent by anybody, clients included, this many percent are lost. */
  lose(to: string, percent: number): void {
    this.#nft(to, [
      'add',
      'rule',
      'inet',
      'faults',
      'in',
      'numgen',
      'random',
      'mod',
      '100',
      '<',
      String(percent),
      'drop',
    ]);
  }

  heal(): void {
    for (const node of this.#nodes) this.#nft(node, ['flush', 'chain', 'inet', 'faults', 'in']);
  }

  remove(): void {
    inUse.delete(this);
    for (const node of this.#nodes) spawnSync('ip', ['netns', 'del', this.#space(node)]);
    spawnSync('ip', ['link', 'del', this.#tag]);
  }

  #build(): string | null {
    const commands = [
      ['ip', 'link', 'add', this.#tag, 'type', 'bridge'],
      ['ip', 'addr', 'add', `${this.#subnet}.254/24`, 'dev', this.#tag],
      ['ip', 'link', 'set', this.#tag, 'up'],
      ...this.#nodes.flatMap((node, index) => {
        const [space, outer] = [this.#space(node), `${this.#tag}v${index}`];
        const inside = ['ip', 'netns', 'exec', space];
        return [
          ['ip', 'netns', 'add', space],
          ['ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space],
          ['ip', 'link', 'set', outer, 'master', this.#tag, 'up'],
          [...inside, 'ip', 'link', 'set', 'lo', 'up'],
          [...inside, 'ip', 'addr', 'add', `${this.#address(node)}/24`, 'dev', 'eth0'],
          [...inside, 'ip', 'link', 'set', 'eth0', 'up'],
          [...inside, 'nft', 'add', 'table', 'inet', 'faults'],
          [...inside, 'nft', 'add', 'chain', 'inet', 'faults', 'in', '{ type filter hook input priority 0; }'],
        ];
      }),
    ];
    for (const [program = '', ...args] of commands) {
      const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
      if (status !== 0) return `${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`;
    }
    return null;
  }

  #drop(at: string, from: string, more: readonly string[]): void {
    this.#nft(at, ['add', 'rule', 'inet', 'faults', 'in', 'ip', 'saddr', this.#address(from), ...more, 'drop']);
  }

  #nft(node: string, args: readonly string[]): void {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', this.#space(node), 'nft', ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`nft ${args.join(' ')} at ${node}: ${stderr}`);
  }

  #space(node: string): string {
    return `${this.#tag}-${node}`;
  }

  #address(node: string): string {
    return `${this.#subnet}.${this.#nodes.indexOf(node) + 1}`;
  }
}
