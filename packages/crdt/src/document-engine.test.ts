import * as Automerge from '@automerge/automerge';
import { DecodeError } from '@skerry/base';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { documentValue, loadDocumentEngine, type DocumentEngine } from './index.ts';
import { Cluster } from './testing/cluster.ts';

interface Note extends Record<string, unknown> {
  title: string;
  lines: number[];
}

let engine: DocumentEngine;
beforeAll(async () => {
  engine = await loadDocumentEngine();
});

const actor = (at: number): string => `a${at}`;

/** Replica `at` edits the document as it sees it. */
function edit(cluster: Cluster, at: number, change: (draft: Note) => void): void {
  const base = documentValue(cluster.member(at).state)?.chunks ?? [];
  const bytes = engine.edit(base, actor(at), (draft) => {
    change(draft as Note);
  })!;
  cluster.write(at, { type: 'document', action: 'change', bytes, ...engine.inspect(bytes, base) });
}

function read(cluster: Cluster, at: number): unknown {
  return engine.read(documentValue(cluster.member(at).state)?.chunks ?? []);
}

function compact(cluster: Cluster, at: number): void {
  const { chunks, context } = documentValue(cluster.member(at).state)!;
  cluster.write(at, { type: 'document', action: 'compact', context, ...engine.compact(chunks) });
}

describe('document engine', () => {
  it('replicas show what Automerge itself merges, through deliveries, state merges and compactions', () => {
    const step = fc.record({
      at: fc.nat({ max: 2 }),
      kind: fc.constantFrom('push', 'title', 'deliver', 'merge', 'compact'),
      n: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
        const cluster = new Cluster(3);
        edit(cluster, 0, (draft) => {
          Object.assign(draft, { title: '', lines: [] });
        });
        cluster.settle();
        const base = documentValue(cluster.member(0).state)!.chunks;
        // Automerge's own documents, which edit the same and exchange everything at the end.
        let all = Automerge.load<Note>(base[0]!, { actor: 'ffff' });
        for (const { at, kind, n } of steps) {
          if (kind === 'push' || kind === 'title') {
            edit(cluster, at, (draft) => {
              if (kind === 'push') draft.lines.push(n);
              else draft.title = `${draft.title}${n}`;
            });
            for (const chunk of documentValue(cluster.member(at).state)!.chunks)
              all = Automerge.loadIncremental(all, chunk);
          } else if (kind === 'deliver') cluster.step({ do: 'deliver', at, pick: n, twice: true });
          else if (kind === 'merge') cluster.step({ do: 'merge', at, from: n % 3 });
          else compact(cluster, at);
        }
        cluster.settle();
        for (const at of [0, 1, 2]) expect(read(cluster, at)).toEqual(Automerge.toJS(all));
      }),
      { numRuns: 15 },
    );
  });

  it('a compaction keeps the content and the history in one chunk', () => {
    const cluster = new Cluster(1);
    edit(cluster, 0, (draft) => {
      Object.assign(draft, { title: 'a', lines: [] });
    });
    for (let n = 0; n < 20; n++)
      edit(cluster, 0, (draft) => {
        draft.lines.push(n);
      });
    const before = documentValue(cluster.member(0).state)!;
    const shown = read(cluster, 0);
    compact(cluster, 0);
    const after = documentValue(cluster.member(0).state)!;
    expect(after.chunks).toHaveLength(1);
    expect(after.operations).toBe(before.operations);
    expect(after.chunks[0]!.length).toBeLessThan(before.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    expect(read(cluster, 0)).toEqual(shown);
  });

  it('refuses bytes that are not Automerge, cut off, damaged, or that build on what is missing', () => {
    const base = engine.edit([], actor(0), (draft) => {
      draft['n'] = 1;
    })!;
    const next = engine.edit([base], actor(0), (draft) => {
      draft['n'] = 2;
    })!;
    expect(engine.inspect(next, [base])).toEqual({ operations: 1, changes: 1 });
    expect(() => engine.inspect(next, [])).toThrow(DecodeError);
    expect(() => engine.inspect(new Uint8Array([1, 2, 3]), [])).toThrow(DecodeError);
    for (let length = 0; length < next.length; length++) {
      expect(() => engine.inspect(next.subarray(0, length), [base])).toThrow(DecodeError);
    }
    for (let at = 0; at < next.length; at++) {
      const damaged = next.slice();
      damaged[at] = damaged[at]! ^ 0x55;
      expect(() => engine.inspect(damaged, [base])).toThrow(DecodeError);
    }
  });

  it('a change is an edit with its operations and the document after it', () => {
    const base = engine.edit([], actor(0), (draft) => {
      Object.assign(draft, { title: 'abc', lines: [1] });
    })!;
    const { change, value } = engine.change([base], actor(0), (draft) => {
      Object.assign(draft, { title: 'a longer text', n: { m: [1, 2] } });
    });
    expect(engine.inspect(change!.bytes, [base])).toEqual({ operations: change!.operations, changes: 1 });
    expect(change!.operations).toBeGreaterThan(10);
    expect(value).toEqual(engine.read([base, change!.bytes]));
    expect(engine.change([base], actor(0), () => undefined)).toEqual({
      change: null,
      value: { title: 'abc', lines: [1] },
    });
  });

  it('an edit that changes nothing is no change', () => {
    expect(engine.edit([], actor(0), () => undefined)).toBeNull();
  });
});
