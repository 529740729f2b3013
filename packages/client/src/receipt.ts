import { isName, type RegionId } from '@skerry/base';
import { dotFromText, type Dot } from '@skerry/crdt';
import type { ReceiptStatus } from './types.ts';

/** The handle of a quorum-less write. */
export class Receipt {
  readonly text: string;
  readonly #ask: (wait: boolean, signal?: AbortSignal) => Promise<ReceiptStatus>;

  constructor(text: string, ask: (wait: boolean, signal?: AbortSignal) => Promise<ReceiptStatus>) {
    this.text = text;
    this.#ask = ask;
  }

  /** What became of the write so far. */
  state(options: { readonly signal?: AbortSignal } = {}): Promise<ReceiptStatus> {
    return this.#ask(false, options.signal);
  }

  /** Waits until the write is no longer `accepted`: until a quorum has decided. */
  wait(options: { readonly signal?: AbortSignal } = {}): Promise<ReceiptStatus> {
    return this.#ask(true, options.signal);
  }

  /** The state now, and the final one once it is known. */
  async *changes(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ReceiptStatus, void, undefined> {
    const first = await this.state(options);
    yield first;
    if (first.state === 'accepted') yield await this.wait(options);
  }
}

/** What stands in a receipt, `REGION:PARTITION:DOT`; null: it is of another form. */
export function parseReceipt(
  text: string,
): { readonly region: RegionId; readonly partition: number; readonly dot: Dot } | null {
  const [region = '', partition = '', dotText = '', ...rest] = text.split(':');
  const dot = dotFromText(dotText);
  if (!isName(region) || !/^[0-9]{1,5}$/.test(partition) || dot === null || rest.length > 0) return null;
  return { region: region as RegionId, partition: Number(partition), dot };
}
