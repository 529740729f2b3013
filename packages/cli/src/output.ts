/** A column of a table: its heading, and what stands in it for a row. */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => string | number | null;
  /** Numbers read better flush right. */
  readonly alignRight?: boolean;
}

/** Rows under headings, columns two spaces apart, ending in a newline. Control characters are made visible. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const lines = [
    columns.map((column) => column.heading),
    ...rows.map((row) => columns.map((column) => cellText(column.cell(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, i) =>
          columns[i]?.alignRight === true ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function cellText(value: string | number | null): string {
  if (value === null) return '-';
  return visible(String(value));
}

/** `text` with control characters escaped, so that a key or a value can neither break the table nor drive the terminal. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this function is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The beginning of `text`, cut to `lengthMax` characters with an ellipsis if something was left out. */
export function shorten(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}

/** One JSON document on one line. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/**
 * How bytes stand in JSON: as `value` when they are UTF-8, else as `valueBase64`, so that a reader can tell them
 * apart and loses nothing.
 */
export function jsonValue(bytes: Uint8Array | null): { value: string | null } | { valueBase64: string } {
  if (bytes === null) return { value: null };
  try {
    return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { valueBase64: Buffer.from(bytes).toString('base64') };
  }
}
