/** Buckets of one power of two; a value is known to within one part in this many. */
const bucketsPerOctave = 128;
const octaveBits = 7;
/** About 35 minutes; longer ones count as this. */
const microsecondsMax = 2 ** 31 - 1;
const bucketCount = (31 - octaveBits + 1) * bucketsPerOctave;

/** What a histogram is between two processes: pairs of bucket and count, and what the buckets do not know. */
export interface HistogramData {
  readonly buckets: readonly (readonly [number, number])[];
  readonly sumMs: number;
  readonly maxMs: number;
}

/**
 * Latencies, in buckets whose width grows with the value (the layout of HdrHistogram): an error below 1 % whatever the
 * value, a fixed size, and no sorting.
 */
export class Histogram {
  readonly #counts = new Float64Array(bucketCount);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  static from(data: HistogramData): Histogram {
    const histogram = new Histogram();
    histogram.add(data);
    return histogram;
  }

  get count(): number {
    return this.#count;
  }

  /** NaN: nothing was recorded. */
  get meanMs(): number {
    return this.#sumMs / this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  record(ms: number): void {
    const microseconds = Math.min(microsecondsMax, Math.max(0, Math.round(ms * 1_000)));
    const bucket = bucketOf(microseconds);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The value that this share of the recorded ones does not exceed, milliseconds; NaN: nothing was recorded. */
  quantileMs(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank) return Math.min(this.#maxMs, upperMicroseconds(bucket) / 1_000);
    }
    return this.#maxMs;
  }

  add({ buckets, sumMs, maxMs }: HistogramData): void {
    for (const [bucket, count] of buckets) {
      this.#counts[bucket] = (this.#counts[bucket] as number) + count;
      this.#count += count;
    }
    this.#sumMs += sumMs;
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }

  data(): HistogramData {
    const buckets: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) buckets.push([bucket, count]);
    });
    return { buckets, sumMs: this.#sumMs, maxMs: this.#maxMs };
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < 2 * bucketsPerOctave) return microseconds;
  const shift = 31 - Math.clz32(microseconds) - octaveBits;
  return shift * bucketsPerOctave + (microseconds >>> shift);
}

function upperMicroseconds(bucket: number): number {
  if (bucket < 2 * bucketsPerOctave) return bucket;
  const shift = Math.floor(bucket / bucketsPerOctave) - 1;
  return (bucket - shift * bucketsPerOctave + 1) * 2 ** shift - 1;
}
