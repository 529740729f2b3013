import type { Flags } from './flags.ts';
import { full } from './full.ts';
import type { Results } from './lib/results.ts';
import { election, flames, matrix, quick, ramp, type ModeContext } from './modes.ts';

/** What `npm run bench` does, by its flags; each result as soon as it is there. */
export async function* runMode(flags: Flags, context: ModeContext): AsyncGenerator<Results, void, undefined> {
  if (flags.full) yield* full(flags, context);
  else if (flags.experiment === 'ramp') yield await ramp(flags, context);
  else if (flags.experiment === 'election') yield await election(flags, context);
  else if (flags.experiment === 'flame') for (const name of flags.workloads) yield await flames(flags, context, name);
  else if (flags.quick) yield await quick(flags, context);
  else yield await matrix(flags, context, { name: `loads-${flags.nodes}-nodes` });
}
