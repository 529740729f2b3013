import { expect, test } from 'vitest';
import { flameSvg, type CpuProfile } from './flame.ts';

const callFrame = (functionName: string): CpuProfile['nodes'][number]['callFrame'] => ({
  functionName,
  url: 'file:///somewhere/else/packages/raft/dist/log.js',
  lineNumber: 9,
});

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: callFrame('(root)'), children: [2, 3] },
    { id: 2, callFrame: callFrame('(idle)') },
    { id: 3, callFrame: callFrame('flush'), children: [4, 5] },
    { id: 4, callFrame: callFrame('encode<T>') },
    { id: 5, callFrame: callFrame('') },
  ],
  samples: [2, 3, 4, 4, 5],
  timeDeltas: [90_000, 1_000, 2_000, 4_000, 3_000],
};

/** Width and start by name. */
function framesOf(svg: string): Map<string, { x: number; width: number; tooltip: string }> {
  const found = svg.matchAll(/<g><title>(\S+) ([^<]*)<\/title><rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g);
  return new Map(
    [...found].map(([, name = '', tooltip = '', x, width]) => [name, { x: Number(x), width: Number(width), tooltip }]),
  );
}

test('a frame is as wide as its share of the busy time, and stands over what it called', () => {
  const frames = framesOf(flameSvg(profile, 'title', 'subtitle'));
  expect(frames.get('all')).toMatchObject({ x: 0, width: 1_200 });
  expect(frames.get('flush')).toMatchObject({ x: 0, width: 1_200 });
  expect(frames.get('encode&lt;T&gt;')).toMatchObject({ x: 0, width: 720 });
  expect(frames.get('(anonymous)')).toMatchObject({ x: 720, width: 360 });
  expect(frames.get('encode&lt;T&gt;')?.tooltip).toContain('60.0 %, 6 ms');
});

test('waiting is no part of it, and neither is the folder that the program lies in', () => {
  const svg = flameSvg(profile, 'title', 'subtitle');
  expect(svg).not.toContain('(idle)');
  expect(svg).not.toContain('somewhere');
  expect(svg).toContain('raft/dist/log.js:10');
});

test('a profile without samples is an empty graph', () => {
  expect(framesOf(flameSvg({ nodes: [], samples: [], timeDeltas: [] }, 'title', 'subtitle')).size).toBe(0);
});
