import { simulator, type PlantedBug } from './lib/bug.ts';

/** Bugs of merging, and of what regions tell each other. */
export const regionBugs: readonly PlantedBug[] = [
  {
    name: 'region-log-gap-accepted',
    what: 'Entries of another region are applied although some before them are missing.',
    edits: [
      {
        file: 'packages/replica/src/state/regions.ts',
        find: 'if (known < 0 || known >= entries.length || state.region !== region) return [];',
        replace:
          'if (known >= entries.length || state.region !== region) return [];\n    if (known < 0) state.applied = first - 1;',
      },
      {
        file: 'packages/replica/src/state/regions.ts',
        find: 'const fresh = entries.slice(known);',
        replace: 'const fresh = entries.slice(Math.max(0, known));',
      },
    ],
    bench: simulator,
  },
  {
    name: 'region-position-advanced-before-apply',
    what: 'A region reports what it has received of a log as applied: the others drop what a new leader asks for again.',
    edits: [
      {
        file: 'packages/replica/src/regions/intake.ts',
        find: '    source.received = first + entries.length - 1;\n',
        replace:
          '    source.received = first + entries.length - 1;\n    const position = this.#partition.state.header.origins.get(origin);\n    if (position !== undefined) position.applied = source.received;\n',
      },
    ],
    bench: simulator,
  },
  {
    name: 'tombstone-collected-early',
    what: 'A tombstone goes as soon as its own region has applied the delete.',
    edits: [
      {
        file: 'packages/replica/src/state/regions.ts',
        find: 'Math.min(applied, ...regions.map(({ report }) => report?.positions.get(origin) ?? 0))]',
        replace: 'regions.length < 0 ? 0 : applied]',
      },
    ],
    bench: simulator,
  },
  {
    name: 'grave-left-out',
    what: 'A delete that is forgotten while a region is out leaves nothing: what that region offers is taken for the later one.',
    edits: [
      {
        file: 'packages/replica/src/state/regions.ts',
        find: 'if (isAnyOut) graves.add(key, value);',
        replace: 'if (isAnyOut && key === null) graves.add(key, value);',
      },
    ],
    bench: simulator,
  },
  {
    name: 'set-forgets-its-context',
    what: 'The add-wins set keeps its elements and forgets which adds were removed.',
    edits: [
      {
        file: 'packages/crdt/src/dot-store.ts',
        find: '  const context = a.context.clone();\n  context.merge(b.context);\n  return { entries, context };',
        replace:
          '  const context = CausalContext.of([...entries.values()].map(({ dot }) => dot));\n  return { entries, context };',
      },
    ],
    bench: simulator,
  },
  {
    name: 'remote-entry-applied-twice',
    what: 'A batch of another region that overlaps with what is applied is applied as a whole.',
    edits: [
      {
        file: 'packages/replica/src/state/regions.ts',
        find: 'const fresh = entries.slice(known);',
        replace: 'const fresh = known < 0 ? [] : entries.slice();',
      },
    ],
    bench: simulator,
  },
];
