import type { CliContext } from './command.ts';
import { CliError } from './exit-code.ts';

/** Opens a connection of `@skerry/client` for the commands. */
export const connectDatabase: CliContext['connect'] = (endpoints) => {
  return Promise.reject(new CliError(`cannot connect to ${endpoints.join(', ')}`));
};
