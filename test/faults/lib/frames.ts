/** A piece of one direction of a WebSocket connection, to be passed on as a whole. */
export interface Piece {
  readonly bytes: Buffer;
  /** A data frame of its own, which may be repeated or come late; no part of the handshake, no ping, no close. */
  readonly isBinary: boolean;
}

const endOfHead = '\r\n\r\n';
const binaryAndLast = 0x82;

/** Finds where the frames of one direction end (RFC 6455, section 5.2): the head of the upgrade first, then frame by frame. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded = false;

  /** What is whole by now, in order. */
  push(data: Buffer): Piece[] {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const pieces: Piece[] = [];
    for (;;) {
      const length = this.#isUpgraded ? frameLength(this.#rest) : headLength(this.#rest);
      if (length === null || length > this.#rest.length) return pieces;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      pieces.push({ bytes, isBinary: this.#isUpgraded && bytes[0] === binaryAndLast });
      this.#isUpgraded = true;
    }
  }
}

function headLength(bytes: Buffer): number | null {
  const at = bytes.indexOf(endOfHead);
  return at < 0 ? null : at + endOfHead.length;
}

/** null: too little of its header is there. */
function frameLength(bytes: Buffer): number | null {
  if (bytes.length < 2) return null;
  const second = bytes[1] as number;
  const mask = second >= 0x80 ? 4 : 0;
  const short = second & 0x7f;
  if (short < 126) return 2 + mask + short;
  const header = short === 126 ? 4 : 10;
  if (bytes.length < header) return null;
  return header + mask + (short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)));
}
