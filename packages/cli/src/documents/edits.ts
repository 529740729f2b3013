import type { TextEdits } from '@skerry/client';
import { CliError } from '../exit-code.ts';

type Step = string | number;

/** One edit as it stands on the command line; see {@link parseEdit}. */
export type Edit = { readonly path: readonly Step[] } & (
  | { readonly action: 'assign'; readonly value: unknown }
  | { readonly action: 'append'; readonly value: unknown }
  | { readonly action: 'splice'; readonly from: number; readonly to: number; readonly insert: string }
  | { readonly action: 'delete' }
);

/**
 * `PATH=TEXT`, `PATH:=JSON`, `PATH[]=TEXT` or `PATH[]:=JSON` (append to a list), `PATH[FROM:TO]=TEXT` (in place of these
 * characters of a text). A path is `name.name[0]`; a name with other characters stands as `["any.name"]`.
 */
export function parseEdit(text: string): Edit {
  const reader = new PathReader(text);
  const path = reader.path();
  const range = reader.take(/\[(\d*):(\d*)\]/y);
  const append = range === null && reader.take(/\[\]/y) !== null;
  const assign = reader.take(/:?=/y);
  if (assign === null) throw malformed(text);
  const rest = reader.rest();
  const isJson = assign[0] === ':=';
  if (range !== null) {
    if (isJson) throw new CliError(`${text}: characters of a text are replaced by text: PATH[FROM:TO]=TEXT`);
    const from = range[1] === '' ? 0 : Number(range[1]);
    return { path, action: 'splice', from, to: range[2] === '' ? Infinity : Number(range[2]), insert: rest };
  }
  return { path, action: append ? 'append' : 'assign', value: isJson ? parseJson(rest, text) : rest };
}

export function parseDelete(text: string): Edit {
  const reader = new PathReader(text);
  const path = reader.path();
  if (reader.rest() !== '') throw malformed(text);
  return { path, action: 'delete' };
}

/** Throws a CliError, which leaves the document as it was, where the path leads nowhere. */
export function applyEdit(draft: Record<string, unknown>, edit: Edit, text: TextEdits): void {
  const where = pathText(edit.path);
  if (edit.action === 'append') {
    const list = valueAt(draft, edit.path);
    if (!Array.isArray(list)) throw new CliError(`${where} is no list; ${where}:=[] makes it one`);
    list.push(edit.value);
    return;
  }
  if (edit.action === 'splice') {
    const present = valueAt(draft, edit.path);
    if (typeof present !== 'string') throw new CliError(`${where} is no text`);
    const to = Math.min(edit.to, present.length);
    if (edit.from > to) throw new CliError(`${where} has ${present.length} characters`);
    text.splice(edit.path, edit.from, to - edit.from, edit.insert);
    return;
  }
  const last = edit.path.at(-1) ?? '';
  const parent = parentOf(draft, edit.path, edit.action === 'assign');
  if (typeof last === 'number') {
    if (!Array.isArray(parent) || last >= parent.length)
      throw new CliError(`there is no ${where}; ${pathText(edit.path.slice(0, -1))}[] appends`);
    if (edit.action === 'delete') parent.splice(last, 1);
    else parent[last] = edit.value;
  } else if (typeof parent !== 'object' || parent === null || Array.isArray(parent)) {
    throw new CliError(`there is no ${where}: ${pathText(edit.path.slice(0, -1))} is no object`);
  } else if (edit.action === 'assign') (parent as Record<string, unknown>)[last] = edit.value;
  else if (Object.hasOwn(parent, last)) delete (parent as Record<string, unknown>)[last];
  else throw new CliError(`there is no ${where}`);
}

/** With `make`, objects that are missing on the way are made. */
function parentOf(draft: Record<string, unknown>, path: readonly Step[], make: boolean): unknown {
  let at: unknown = draft;
  for (const step of path.slice(0, -1)) {
    if (make && typeof step === 'string' && typeof at === 'object' && at !== null && !Object.hasOwn(at, step)) {
      (at as Record<string, unknown>)[step] = {};
    }
    at = stepInto(at, step);
  }
  return at;
}

function valueAt(draft: Record<string, unknown>, path: readonly Step[]): unknown {
  return path.reduce(stepInto, draft as unknown);
}

function stepInto(at: unknown, step: Step): unknown {
  if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
  return (at as Record<Step, unknown>)[step];
}

class PathReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  rest(): string {
    return this.#text.slice(this.#at);
  }

  path(): Step[] {
    const path: Step[] = [];
    for (;;) {
      const quoted = this.take(/\[("(?:[^"\\]|\\.)*")\]/y);
      const index = quoted === null ? this.take(/\[(\d+)\]/y) : null;
      const name =
        quoted === null && index === null ? this.take(path.length === 0 ? /[^.[\]:=]+/y : /\.([^.[\]:=]+)/y) : null;
      if (quoted !== null) path.push(String(parseJson(quoted[1] ?? '', this.#text)));
      else if (index !== null) path.push(Number(index[1]));
      else if (name !== null) path.push(name[1] ?? name[0]);
      else if (path.length === 0 || typeof path[0] === 'number') throw malformed(this.#text);
      else return path;
    }
  }
}

function parseJson(json: string, edit: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw new CliError(`${edit}: ${(error as Error).message}`);
  }
}

function malformed(text: string): CliError {
  return new CliError(`${text} is no edit; edits look like title=Hello, count:=3, tags[]=new or body[0:5]=Howdy`);
}

function pathText(path: readonly Step[]): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (/[.[\]:=]|^$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join('');
}
