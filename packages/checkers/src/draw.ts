import { outputOf, returnAt, type Operation } from './model.ts';

/** What to draw: operations that overlap, and the one that cannot be explained. */
export interface Drawing<Input, Output> {
  readonly describe: (input: Input, output: Output | null) => string;
  readonly operations: readonly Operation<Input, Output>[];
  readonly blocked?: Operation<Input, Output> | undefined;
}

/** A row per operation; columns are calls and returns in their order, not to scale. */
interface Row {
  readonly process: string;
  readonly from: number;
  /** Null if the outcome is unknown: the bar runs off the page. */
  readonly to: number | null;
  readonly label: string;
  readonly blocked: boolean;
}

interface Layout {
  readonly rows: readonly Row[];
  readonly columns: number;
}

function layout<Input, Output>(drawing: Drawing<Input, Output>): Layout {
  const times = [...new Set(drawing.operations.flatMap((operation) => [operation.callAt, returnAt(operation)]))]
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const columnOf = new Map(times.map((time, column) => [time, column]));
  const rows = [...drawing.operations]
    .sort((a, b) => a.callAt - b.callAt)
    .map((operation): Row => ({
      process: operation.process,
      from: columnOf.get(operation.callAt) ?? 0,
      to: columnOf.get(returnAt(operation)) ?? null,
      label: drawing.describe(operation.input, outputOf(operation)),
      blocked: operation.id === drawing.blocked?.id,
    }));
  return { rows, columns: times.length };
}

const textColumnWidth = 2;
const textBarWidthMax = 96;

/**
 * A timeline in plain text: one line per operation, a bar from its call to its return, `>` for an unknown outcome, `!`
 * for the operation that no order explains.
 */
export function drawText<Input, Output>(drawing: Drawing<Input, Output>): string {
  const { rows, columns } = layout(drawing);
  const width = Math.min(columns * textColumnWidth, textBarWidthMax);
  const place = (column: number): number => Math.floor((column * width) / Math.max(1, columns));
  const processWidth = Math.max(0, ...rows.map((row) => row.process.length));
  const lines = rows.map((row) => {
    const from = place(row.from);
    const to = row.to === null ? width : Math.max(place(row.to), from + 1);
    const bar = `${' '.repeat(from)}|${'-'.repeat(Math.max(0, to - from - 1))}${row.to === null ? '>' : '|'}`;
    return `${row.blocked ? '!' : ' '} ${row.process.padEnd(processWidth)}  ${bar.padEnd(width + 1)}  ${row.label}`.trimEnd();
  });
  return lines.map((line) => `${line}\n`).join('');
}

const svgRowHeight = 24;
const svgColumnWidth = 14;
const svgMargin = 12;
const svgCharacterWidth = 7.5;

/** The same timeline as a picture that stands alone: no script, no font, no style sheet from elsewhere. */
export function drawSvg<Input, Output>(drawing: Drawing<Input, Output>): string {
  const { rows, columns } = layout(drawing);
  const processWidth = svgCharacterWidth * Math.max(0, ...rows.map((row) => row.process.length)) + svgMargin;
  const barsFrom = svgMargin + processWidth;
  const barsTo = barsFrom + (columns + 1) * svgColumnWidth;
  const labelWidth = svgCharacterWidth * Math.max(0, ...rows.map((row) => row.label.length));
  const width = Math.ceil(barsTo + svgMargin + labelWidth + svgMargin);
  const height = 2 * svgMargin + rows.length * svgRowHeight;
  const body = rows.map((row, index) => svgRow(row, { top: svgMargin + index * svgRowHeight, barsFrom, barsTo }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function svgRow(row: Row, at: { readonly top: number; readonly barsFrom: number; readonly barsTo: number }): string {
  const x = at.barsFrom + row.from * svgColumnWidth;
  const end = row.to === null ? at.barsTo : at.barsFrom + row.to * svgColumnWidth;
  const baseline = at.top + 16;
  const fill = row.blocked ? '#d64545' : row.to === null ? '#d9dde3' : '#7aa6d8';
  const dashes = row.to === null ? ' stroke-dasharray="4 3"' : '';
  return [
    '<g>',
    `<title>${escapeXml(`${row.process}: ${row.label}`)}</title>`,
    `<text x="${svgMargin}" y="${baseline}" fill="#444444">${escapeXml(row.process)}</text>`,
    `<rect x="${x}" y="${at.top + 4}" width="${Math.max(2, end - x)}" height="${svgRowHeight - 8}" rx="3" fill="${fill}" stroke="#33475b"${dashes}/>`,
    `<text x="${at.barsTo + svgMargin}" y="${baseline}" fill="${row.blocked ? '#b00020' : '#111111'}">${escapeXml(row.label)}</text>`,
    '</g>',
  ].join('');
}

/** XML text. Characters that XML 1.0 cannot hold at all become U+FFFD. */
function escapeXml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // eslint-disable-next-line no-control-regex -- control characters are just what must go
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  );
}
