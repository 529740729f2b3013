import { randomFloat, type SeededRandom } from '@skerry/base';

export interface Range {
  readonly min: number;
  readonly max: number;
}

export function draw(random: SeededRandom, { min, max }: Range): number {
  return min + randomFloat(random) * (max - min);
}
