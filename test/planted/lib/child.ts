import { spawn } from 'node:child_process';

export interface ChildEnd {
  /** null: it was silent for too long and was ended. */
  readonly code: number | null;
  readonly output: string;
}

export interface ChildOptions {
  readonly cwd: string;
  /** It is taken for hung when it prints nothing for so long. */
  readonly silenceMsMax: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

/** Runs Node with `args` until it ends, or hangs. */
export function runChild(
  args: readonly string[],
  { cwd, silenceMsMax, env = {}, onLine }: ChildOptions,
): Promise<ChildEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let rest = '';
    let hung = false;
    const end = (): void => {
      hung = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(end, silenceMsMax);
    const heard = (data: Buffer): void => {
      clearTimeout(timer);
      timer = setTimeout(end, silenceMsMax);
      const text = data.toString('utf8');
      output += text;
      if (onLine === undefined) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    };
    child.stdout.on('data', heard);
    child.stderr.on('data', heard);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: hung ? null : (code ?? 128), output });
    });
  });
}
