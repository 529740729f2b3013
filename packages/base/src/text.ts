const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of `text`. A lone surrogate becomes U+FFFD; check {@link isWellFormed} where that matters. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** The text of UTF-8 `bytes`, or null when they are not valid UTF-8. */
export function utf8Decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

const asciiBytesMax = 64;
/** By length: the units of one short text. Filled and read within one call. */
const unitsOfLength: readonly number[][] = Array.from({ length: asciiBytesMax + 1 }, (_, length) =>
  Array.from({ length }, () => 0),
);

/**
 * The text of the bytes from `start` up to `end` if they are ASCII, and at most 64, else null. Faster than a decoder for a
 * short text, and in one piece, unlike one that was put together: it is looked up and compared afterwards.
 */
export function asciiText(bytes: Uint8Array, start: number, end: number): string | null {
  const units = unitsOfLength[end - start];
  if (units === undefined) return null;
  let all = 0;
  for (let i = 0; i < units.length; i++) {
    const byte = bytes[start + i] as number;
    all |= byte;
    units[i] = byte;
  }
  return all < 0x80 ? String.fromCharCode(...units) : null;
}

/** Number of bytes that `text` takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** True if `text` has no lone surrogate, so that UTF-8 can carry it without loss. */
export function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit & 0xf800) !== 0xd800) continue;
    if (unit >= 0xdc00) return false;
    if (i + 1 >= text.length || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) return false;
    i++;
  }
  return true;
}

/**
 * Orders two well-formed strings by code point, which is the order of their UTF-8 bytes (and of LMDB). JavaScript's
 * own `<` orders by UTF-16 unit and differs above U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xHigh = (x & 0xf800) === 0xd800;
    const yHigh = (y & 0xf800) === 0xd800;
    if (xHigh !== yHigh) return xHigh ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}
