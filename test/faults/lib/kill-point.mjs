// Loaded into a node by `--import`: it kills itself at a named point, told by what is written to storage there. The point
// is KILL_POINT, `NAME MOMENT`; the moment is `before` the records are handed to storage, `under way` when they are, and
// `after` when they are synced and nothing has been told of them yet.
import { writeSync } from 'node:fs';

const [, name, moment] = /^(\S+) (before|under way|after)$/.exec(process.env.KILL_POINT ?? '') ?? [];
const state = String.raw`^s/[0-9a-f]{4}/\d+/`;

/** Whether a batch is written at that point. */
const points = {
  append: (batch) => puts(batch, /^l\//),
  vote: (batch) => puts(batch, /^r\/[0-9a-f]{4}\/hard$/),
  apply: (batch) => puts(batch, new RegExp(`${state}h$`)),
  truncation: (batch) => deletes(batch, /^l\//),
  // Into the generation of the state that is not the active one.
  'snapshot-write': (batch, storage) => {
    const active = storage.get('r/0000/gen')?.[0] ?? 0;
    return puts(batch, /^s\//) && !puts(batch, new RegExp(`^s/[0-9a-f]{4}/${active}/`));
  },
  'snapshot-install': (batch) => puts(batch, /^r\/[0-9a-f]{4}\/gen$/),
  pending: (batch) => puts(batch, /^w\//),
  promotion: (batch) => deletes(batch, /^w\//),
  outbox: (batch) => puts(batch, new RegExp(`${state}g/`)),
  'remote-acknowledgement': (batch) => deletes(batch, new RegExp(`${state}g/`)),
  'tombstone-collection': (batch) => deletes(batch, new RegExp(`${state}v/`)),
};

const puts = (batch, key) => batch.some((write) => write.value !== null && key.test(write.key));
const deletes = (batch, key) => batch.some((write) => write.value === null && key.test(write.key));

if (name !== undefined) {
  const isThere = points[name];
  const { LmdbStorage } = await import(process.env.KILL_POINT_STORAGE);
  const { submit } = LmdbStorage.prototype;
  LmdbStorage.prototype.submit = function (batch) {
    if (!isThere(batch, this)) return submit.call(this, batch);
    if (moment === 'before') die();
    const done = submit.call(this, batch);
    // Of all that is in the middle of it: the records may be in memory, in part on disk, or synced.
    if (moment === 'under way') setTimeout(die, Math.random() * 2);
    return moment === 'after' ? done.then(die) : done;
  };
}

function die() {
  writeSync(2, `killed at ${name}, ${moment}\n`);
  process.kill(process.pid, 'SIGKILL');
}
