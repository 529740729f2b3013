export { buildProgram, main, runCli } from './program.ts';
export { exitCode, type ExitCode } from './exit-code.ts';
export type { CliContext } from './command.ts';
export type { Terminal } from './terminal.ts';
