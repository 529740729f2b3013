/** What `node --cpu-prof` leaves; the fields that are used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A function as it was called from where it stands in the graph; calls from the same place are one. */
interface Frame {
  readonly name: string;
  /** File and line, for the tooltip. */
  readonly place: string;
  /** Microseconds in it and in what it called. */
  us: number;
  readonly callees: Map<string, Frame>;
}

const width = 1_200;
const rowHeight = 16;
const headHeight = 56;
/** Narrower frames are left out. */
const widthMin = 0.6;
const textWidth = 6.2;
const colours = ['#f2a65a', '#f4b66a', '#ee964b', '#f6c177', '#f0a868'];
/** The event loop waits: nothing that anybody would want to make faster. */
const waiting = new Set(['(idle)']);

/**
 * A flame graph (Brendan Gregg 2011) with the root at the top, of the time that the process was busy. An SVG that needs
 * nothing else; names and shares are in the tooltips.
 */
export function flameSvg(profile: CpuProfile, title: string, subtitle: string): string {
  const root = framesOf(profile);
  const rows: string[] = [];
  let depthMax = 0;
  const draw = (frame: Frame, { x, depth, scale }: Place): void => {
    const wide = frame.us * scale;
    if (wide < widthMin) return;
    depthMax = Math.max(depthMax, depth);
    const share = root.us === 0 ? 0 : (100 * frame.us) / root.us;
    rows.push(drawn(frame, { x, y: headHeight + depth * rowHeight, wide, share }));
    let at = x;
    for (const callee of [...frame.callees.values()].toSorted((a, b) => b.us - a.us)) {
      draw(callee, { x: at, depth: depth + 1, scale });
      at += callee.us * scale;
    }
  };
  draw(root, { x: 0, depth: 0, scale: root.us === 0 ? 0 : width / root.us });
  const height = headHeight + (depthMax + 1) * rowHeight + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="10" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="22" font-size="15" font-weight="bold">${escaped(title)}</text>`,
    `<text x="8" y="41" fill="#666">${escaped(subtitle)}</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

interface Place {
  readonly x: number;
  readonly depth: number;
  readonly scale: number;
}

function framesOf({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const root: Frame = { name: 'all', place: '', us: 0, callees: new Map() };
  for (const [index, id] of samples.entries()) {
    const node = byId.get(id);
    const us = timeDeltas[index] ?? 0;
    if (node === undefined || us <= 0 || waiting.has(node.callFrame.functionName)) continue;
    const path: number[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parentOf.get(at)) path.push(at);
    let frame = root;
    root.us += us;
    // The last one is the root of the profile.
    for (const step of path.slice(0, -1).toReversed()) {
      frame = calleeOf(frame, byId.get(step) as CpuProfile['nodes'][number]);
      frame.us += us;
    }
  }
  return root;
}

function calleeOf(frame: Frame, { callFrame }: CpuProfile['nodes'][number]): Frame {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  // Only the end of the path: where a clone lies is nobody's business.
  const place = url === '' ? '' : `${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
  const key = `${name} ${place}`;
  const known = frame.callees.get(key);
  if (known !== undefined) return known;
  const callee: Frame = { name, place, us: 0, callees: new Map() };
  frame.callees.set(key, callee);
  return callee;
}

function drawn(
  { name, place, us }: Frame,
  { x, y, wide, share }: { readonly x: number; readonly y: number; readonly wide: number; readonly share: number },
): string {
  const letters = Math.floor((wide - 4) / textWidth);
  const label = letters < 3 ? '' : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
  const colour = colours[[...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % colours.length] as string;
  const tooltip = escaped(`${name} ${place}: ${share.toFixed(1)} %, ${(us / 1_000).toFixed(0)} ms`);
  const text = label === '' ? '' : `<text x="${round(x + 2)}" y="${y + 11}">${escaped(label)}</text>`;
  return `<g><title>${tooltip}</title><rect x="${round(x)}" y="${y}" width="${round(wide)}" height="${rowHeight - 1}" fill="${colour}"/>${text}</g>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
