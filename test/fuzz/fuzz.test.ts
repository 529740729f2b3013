import { describe, expect, it } from 'vitest';
import { harvest } from './lib/corpus.ts';
import { fuzz } from './lib/fuzz.ts';
import { ofBytes, type Target } from './lib/target.ts';
import { edgeTargets } from './targets-edges.ts';
import { replicaTargets } from './targets-replica.ts';

// `npm run fuzz -- --time 60s --seed N --only NAME` sets these; without them it is a short run of fixed cases.
const seconds = Number(process.env['FUZZ_SECONDS'] ?? 0);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const only = process.env['FUZZ_ONLY'];
const casesMax = Number(process.env['FUZZ_CASES'] ?? 400);

const targets = [...replicaTargets(harvest()), ...edgeTargets()].filter(
  ({ name }) => only === undefined || name === only,
);
const msEach = (seconds * 1_000) / targets.length;

describe(`a decoder that is fed with broken input (seed ${seed})`, () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s: takes it or refuses it with its own error, in bounded time and memory',
    (_, target) => {
      const endMs = performance.now() + msEach;
      const { cases, refused, findings } = fuzz(target, seed, (done) =>
        seconds > 0 ? performance.now() < endMs : done < casesMax,
      );
      expect(findings.map(({ input, what, ...rest }) => `${JSON.stringify(rest)} ${what}\n${input}`)).toEqual([]);
      // Where nothing is ever refused or ever taken, the mutations prove nothing.
      expect(cases).toBeGreaterThan(0);
      expect(refused).toBeLessThanOrEqual(cases);
    },
    msEach + 60_000,
  );
});

describe('the driver', () => {
  const sample = [Uint8Array.of(1, 2, 3, 4, 5)];
  const found = (decode: (bytes: Uint8Array) => unknown): string => {
    const target: Target = ofBytes('planted', sample, (bytes) => (bytes === sample[0] ? null : decode(bytes)));
    return fuzz(target, 1, (cases) => cases < 300).findings.map(({ what }) => what)[0] ?? 'nothing';
  };

  it('notices an error that is not of the decoder', () => {
    expect(
      found((bytes) => {
        if (bytes.length > 5) throw new TypeError('planted');
      }),
    ).toContain('TypeError: planted');
  });

  it('notices a loop that does not end', () => {
    expect(
      found((bytes) => {
        while (bytes.length > 40);
      }),
    ).toContain('timed out');
  }, 20_000);

  it('notices memory that a length claims', () => {
    expect(found((bytes) => (bytes.length > 5 ? new Uint8Array(200 * 1_024 * 1_024) : null))).toContain('MiB');
  });

  it('gives the same case for the same seed', () => {
    const target = ofBytes('bytes', sample, () => null);
    const shown = (): string[] =>
      [1, 2, 3, 4].map((one) => {
        let text = '';
        fuzz(
          {
            ...target,
            draw: (random) => {
              const drawn = target.draw(random);
              text += drawn.shown;
              return drawn;
            },
          },
          one,
          (cases) => cases < 5,
        );
        return text;
      });
    expect(shown()).toEqual(shown());
    expect(new Set(shown()).size).toBe(4);
  });
});
