import { plotSvg, type Line } from '../lib/plot.ts';
import { textTable } from '../lib/table.ts';
import { spreadOf } from '../lib/statistics.ts';
import type { Elections } from './election.ts';
import { rampRates, type Ramp } from './ramp.ts';

export function rampPlots(ramps: readonly Ramp[], subtitle: string): Record<string, string> {
  const stepSeconds = (ramps[0]?.stepMs ?? 0) / 1_000;
  const offered: Line = {
    name: 'offered',
    dashed: true,
    points: rampRates.flatMap((rate, step): [number, number][] => [
      [step * stepSeconds, rate],
      [(step + 1) * stepSeconds, rate],
    ]),
  };
  const x = { label: 'seconds' };
  return {
    'ramp-throughput': plotSvg({
      title: 'Five nodes, rising load: successes per second',
      subtitle,
      x,
      y: { label: 'sets per second' },
      lines: [
        ...ramps.map(({ system, successes }) => ({
          name: system,
          points: successes.map((count, second): [number, number] => [second + 0.5, count]),
        })),
        offered,
      ],
    }),
    'ramp-latency': plotSvg({
      title: 'Five nodes, rising load: latency of the sets due in each second',
      subtitle,
      x,
      y: { label: 'milliseconds from when it was due, 99 % are faster', log: true },
      lines: ramps.map(({ system, p99Ms }) => ({
        name: system,
        points: p99Ms.map((ms, second): [number, number | null] => [second + 0.5, ms]),
      })),
    }),
  };
}

export function rampTable(ramps: readonly Ramp[]): string {
  const header = [
    'system',
    'offered/s',
    'succeeded',
    'p50 ms',
    'p99 ms',
    'max ms',
    'generator late at p99, ms',
    'first failure',
  ];
  const rows = ramps.flatMap(({ system, steps }) =>
    steps.map(({ offeredPerSecond, succeededShare, measurement: { latency, latenessP99Ms, firstError, failed } }) => [
      system,
      offeredPerSecond.toLocaleString('en'),
      `${(Math.floor(succeededShare * 10_000) / 100).toFixed(2)} %`,
      latency.p50Ms.toFixed(1),
      latency.p99Ms.toFixed(1),
      latency.maxMs.toFixed(0),
      (latenessP99Ms ?? 0).toFixed(1),
      failed === 0 ? '' : (firstError ?? ''),
    ]),
  );
  return textTable(header, rows);
}

/** Cumulative distributions, as Figure 16 of the Raft paper shows them. */
export function electionPlots(elections: readonly Elections[], subtitle: string): Record<string, string> {
  const plot = (title: string, chosen: readonly Elections[]): string =>
    plotSvg({
      title,
      subtitle,
      x: { label: 'milliseconds from the crash of the leader to a new leader', log: true, max: 100_000 },
      y: { label: 'share of trials, percent', max: 100 },
      lines: chosen.map(({ name, trials, electedMs }) => ({
        name,
        points: distribution(electedMs, trials),
      })),
    });
  const plain = elections.filter(({ name }) => !name.includes('pre-vote') && !name.includes('real'));
  const own = elections.filter((one) => !plain.includes(one));
  return {
    'elections-paper': plot('Elections as in the Raft paper, without pre-vote (its Figure 16)', plain),
    'elections-skerry': plot('Elections of Skerry, with pre-vote', own),
  };
}

const cornersMax = 200;

/** Of ascending values; as many corners as can be told apart, and always the last. */
function distribution(values: readonly number[], count: number): [number, number][] {
  const step = Math.max(1, Math.floor(values.length / cornersMax));
  const corners = values.map((value, index): [number, number] => [value, (100 * (index + 1)) / count]);
  return corners.filter((_, index) => index % step === 0 || index === corners.length - 1);
}

export function electionTable(elections: readonly Elections[]): string {
  const header = [
    'timeouts',
    'trials',
    'median ms',
    'p99 ms',
    'max ms',
    'none in a minute',
    'messages about votes, median',
  ];
  const rows = elections.map(({ name, trials, electedMs, gaveUp, messages }) => {
    const { median, max } = spreadOf(electedMs);
    const p99 = electedMs[Math.min(electedMs.length - 1, Math.ceil(0.99 * trials) - 1)] as number;
    const counted = messages === null ? '' : `${messages.median} (${messages.min} to ${messages.max})`;
    return [name, String(trials), median.toFixed(0), p99.toFixed(0), max.toFixed(0), String(gaveUp), counted];
  });
  return textTable(header, rows);
}
