import type { Change, DocumentEdit } from '../database.ts';
import type { Shown } from '../shown.ts';

/** Plain JSON for a document. */
export class MemoryDocument {
  readonly type = 'document';
  readonly content: Record<string, unknown>;

  constructor(content: Record<string, unknown>) {
    this.content = content;
  }

  read(): Promise<unknown> {
    return Promise.resolve(this.content);
  }
}

/** What one write makes of a value of another type than the register, without any merge. */
export function changed(view: Shown | undefined, change: Change): Shown {
  switch (change.type) {
    case 'counter': {
      const total = view?.type === 'counter' ? view.total : 0n;
      return { type: 'counter', total: change.action === 'add' ? total + change.amount : 0n };
    }
    case 'set': {
      const others = (view?.type === 'set' ? view.elements : []).filter(
        (each) => Buffer.compare(each, change.element) !== 0,
      );
      return {
        type: 'set',
        elements: change.action === 'add' ? [...others, change.element].toSorted(Buffer.compare) : others,
      };
    }
    case 'flag':
      return { type: 'flag', enabled: change.action === 'enable' };
    case 'multiRegister': {
      const others = view?.type === 'multiRegister' && change.context !== view.context ? view.values : [];
      return { type: 'multiRegister', values: [...others, change.value], context: `after ${others.length}` };
    }
    case 'document': {
      const draft = structuredClone(view instanceof MemoryDocument ? view.content : {});
      if ('edit' in change) plainEdit(change.edit, draft);
      return new MemoryDocument(draft);
    }
  }
}

/** Runs an edit on plain JSON. Answers the edits within texts that it made, which Automerge would merge. */
export function plainEdit(edit: DocumentEdit, draft: Record<string, unknown>): unknown[] {
  const made: unknown[] = [];
  const change = (path: readonly (string | number)[], edited: (text: string) => string): void => {
    const parent = path
      .slice(0, -1)
      .reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], draft);
    const last = path.at(-1) ?? '';
    const container = parent as Record<string | number, string>;
    container[last] = edited(container[last] ?? '');
  };
  edit(draft, {
    splice: (path, at, deleteCount, insert) => {
      made.push(['splice', path.join('.'), at, deleteCount, insert]);
      change(path, (text) => text.slice(0, at) + insert + text.slice(at + deleteCount));
    },
    update: (path, text) => {
      made.push(['update', path.join('.'), text]);
      change(path, () => text);
    },
  });
  return made;
}
