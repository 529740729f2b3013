/**
 * The two encoders that every host of ES2023 that Skerry runs on provides (Node, browsers). They are
 * deterministic and do no I/O, so the pure packages may use them; nothing else of a host is declared here.
 */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}
