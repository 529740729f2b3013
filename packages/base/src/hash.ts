/**
 * Tables of CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320) for eight bytes at a time (Kounavis and Berry 2005,
 * slicing-by-8): at [256 k + b] the CRC of byte b followed by k zeros.
 */
const crcTable: Int32Array = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  crcTable[byte] = crc;
}
for (let at = 256; at < crcTable.length; at++) {
  const before = crcTable[at - 256] as number;
  crcTable[at] = (crcTable[before & 0xff] as number) ^ (before >>> 8);
}

/** CRC-32 as of zlib, continued from `seed`; detects torn and rotten records, not forgery. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const table = crcTable;
  let crc = ~seed;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    crc =
      (table[1_792 + (low & 0xff)] as number) ^
      (table[1_536 + ((low >>> 8) & 0xff)] as number) ^
      (table[1_280 + ((low >>> 16) & 0xff)] as number) ^
      (table[1_024 + (low >>> 24)] as number) ^
      (table[768 + (bytes[i + 4] as number)] as number) ^
      (table[512 + (bytes[i + 5] as number)] as number) ^
      (table[256 + (bytes[i + 6] as number)] as number) ^
      (table[bytes[i + 7] as number] as number);
  }
  for (; i < bytes.length; i++) crc = (table[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * 32-bit FNV-1a over the UTF-16 units of `text` with the finaliser of MurmurHash3, which spreads the low bits. Fixes
 * which partition owns a key, so it must never change for a cluster that exists.
 */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
