import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runChildCommand } from '../child-command.ts';
import { onRun, type CliContext } from '../command.ts';
import { CliError } from '../exit-code.ts';
import { visible } from '../output.ts';

/** Behind every npm script of the repository; this file is in `packages/cli/src/commands` or `packages/cli/dist/commands`. */
const runner = fileURLToPath(new URL('../../../../infra/run.mjs', import.meta.url));

/** The same as `npm run bench --`: all flags but its own help are those of the benchmarks. */
export function benchCommand(context: CliContext, program: string = runner): Command {
  const command = new Command('bench')
    .description('measure Skerry beside etcd, NATS KV and Redis on this machine')
    .argument('[flags...]', 'of the benchmarks')
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
The same as 'npm run bench --' in a clone of the repository. The flags are those of the benchmarks; behind -- comes their
own --help.

Examples:
  skerry bench --quick
  skerry bench --only skerry --workload set --in-flight 256
  skerry bench -- --help`,
    );
  return onRun<object>(context, command, async (_, words) => {
    const { terminal } = context;
    if (!existsSync(program)) {
      throw new CliError('the benchmarks need the other systems and the tests: run them in a clone of the repository');
    }
    return runChildCommand([process.execPath, program, 'bench', ...words], {
      env: terminal.env,
      stop: terminal.interrupted,
      onFailure: (problem) => terminal.err(`skerry: ${visible(problem)}\n`),
    });
  });
}
