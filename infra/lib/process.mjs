import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A failure of the surroundings, not of this program: printed without a stack. */
export function expected(message) {
  return Object.assign(new Error(message), { expected: true });
}

/**
 * Runs a program in the repository's folder and resolves to its exit code (128 if a signal ended it, 127 if it could
 * not be started). Output goes to this process's own, or with `quiet` is kept back and shown only on failure.
 */
export function run(command, args, { env = {}, quiet = false, timeoutMs = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      timeout: timeoutMs,
    });
    const kept = [];
    if (quiet) {
      child.stdout.on('data', (data) => kept.push(data));
      child.stderr.on('data', (data) => kept.push(data));
    }
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(127);
    });
    child.on('close', (code) => {
      if (quiet && code !== 0) process.stderr.write(Buffer.concat(kept));
      resolve(code ?? 128);
    });
  });
}

/** Runs a JavaScript program of `node_modules` with this very Node. */
export function runTool(path, args, options) {
  return run(process.execPath, [join(root, 'node_modules', path), ...args], options);
}
