/** A line of a plot. A null in it is a gap. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number | null])[];
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  /** Under the title: machine, versions, commit. */
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  /** Default: what the points need; from 0 unless logarithmic. */
  readonly max?: number;
}

const width = 820;
const height = 460;
const margin = { top: 62, right: 190, bottom: 52, left: 74 };
const colours = ['#0b6e99', '#d1495b', '#3a7d44', '#8f5bb5', '#b3701b', '#555555', '#00a3a3', '#c23b9a'];

/** An SVG that needs nothing else: no script, no font, no style sheet. */
export function plotSvg({ title, subtitle, x, y, lines }: Plot): string {
  const known = lines.flatMap(({ points }) => points.filter(([, value]) => value !== null));
  const scaleX = scaleOf(
    x,
    known.map(([value]) => value),
    [margin.left, width - margin.right],
  );
  const scaleY = scaleOf(
    y,
    known.map(([, value]) => value as number),
    [height - margin.bottom, margin.top],
  );
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(margin.left, 24, title, 'font-size="16" font-weight="bold"'),
    text(margin.left, 43, subtitle, 'fill="#666" font-size="11"'),
    ...scaleX.ticks.flatMap((tick) => [
      rule(scaleX.at(tick), margin.top, scaleX.at(tick), height - margin.bottom),
      text(scaleX.at(tick), height - margin.bottom + 17, shown(tick), 'text-anchor="middle"'),
    ]),
    ...scaleY.ticks.flatMap((tick) => [
      rule(margin.left, scaleY.at(tick), width - margin.right, scaleY.at(tick)),
      text(margin.left - 7, scaleY.at(tick) + 4, shown(tick), 'text-anchor="end"'),
    ]),
    text((margin.left + width - margin.right) / 2, height - 13, x.label, 'text-anchor="middle"'),
    text(
      0,
      0,
      y.label,
      `text-anchor="middle" transform="translate(18 ${(margin.top + height - margin.bottom) / 2}) rotate(-90)"`,
    ),
    ...lines.flatMap((line, index) => drawn(line, index, scaleX, scaleY)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function scaleOf({ log = false, max: wanted }: Axis, values: readonly number[], [from, to]: [number, number]): Scale {
  const greatest = values.reduce((most, value) => Math.max(most, value), 0);
  if (log) {
    const least = values.filter((value) => value > 0).reduce((less, value) => Math.min(less, value), Infinity);
    const low = Number.isFinite(least) ? Math.floor(Math.log10(least)) : 0;
    const high = Math.max(low + 1, Math.ceil(Math.log10(wanted ?? Math.max(greatest, 1))));
    const at = (value: number): number =>
      from + ((clamp(Math.log10(Math.max(value, 10 ** low)), low, high) - low) / (high - low)) * (to - from);
    return { at, ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) };
  }
  const step = niceStep((wanted ?? (greatest || 1)) / 6);
  const max = wanted ?? Math.ceil((greatest || 1) / step) * step;
  const at = (value: number): number => from + (clamp(value, 0, max) / max) * (to - from);
  return { at, ticks: Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, i) => i * step) };
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) as number) * power;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

function drawn({ name, points, dashed = false }: Line, index: number, scaleX: Scale, scaleY: Scale): string[] {
  const colour = colours[index % colours.length] as string;
  let isPenUp = true;
  const path = points
    .map(([x, y]) => {
      if (y === null) {
        isPenUp = true;
        return '';
      }
      const command = `${isPenUp ? 'M' : 'L'}${round(scaleX.at(x))} ${round(scaleY.at(y))}`;
      isPenUp = false;
      return command;
    })
    .join('');
  const stroke = `stroke="${colour}" stroke-width="1.8" fill="none"${dashed ? ' stroke-dasharray="5 4"' : ''}`;
  const legendY = margin.top + 8 + 18 * index;
  const legendX = width - margin.right + 12;
  return [
    `<path d="${path}" ${stroke}/>`,
    `<path d="M${legendX} ${legendY}h22" ${stroke}/>`,
    text(legendX + 28, legendY + 4, name, 'font-size="11"'),
  ];
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<path d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}" stroke="#e4e4e4"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

function shown(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
