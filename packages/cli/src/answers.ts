import type { Session } from './command.ts';
import type { KeyResult, ReceiptResult } from './database.ts';
import { exitCode, type ExitCode } from './exit-code.ts';
import { formatJson, jsonValue } from './output.ts';

/** What a timeout or a refusal means and what to do, on standard error; null if the call was valid. */
function complaint(result: KeyResult): { readonly text: string; readonly code: ExitCode } | null {
  if (result.outcome === 'undecided') {
    return { text: `timeout, undecided: it may have been applied or may still be; ${nextStep(result)}`, code: exitCode.timeout };
  }
  if (result.outcome === 'notApplied')
    return { text: 'timeout, not applied: it never will be', code: exitCode.timeout };
  if (result.timeout) return { text: 'timeout', code: exitCode.timeout };
  if (result.outcome === 'refused' || !result.valid)
    return { text: 'refused: the key has another value', code: exitCode.refused };
  return null;
}

/** What tells more of a write that is undecided. A quorum-less one has no ticket. */
function nextStep({ ticket, receipt }: KeyResult): string {
  if (ticket !== undefined) return `its outcome, when it is known: skerry resolve ${ticket}`;
  return receipt === undefined ? 'write it again' : `what becomes of it: skerry receipt wait ${receipt}`;
}

/** Prints the answer to a write: one line, or the whole response as JSON. */
export function printWrite(session: Session, result: KeyResult): ExitCode {
  const { terminal, output } = session;
  const failed = complaint(result);
  if (output === 'json') terminal.out(formatJson(jsonResponse(result)));
  else if (failed === null) {
    terminal.out(
      result.receipt === undefined
        ? `applied\tversion ${result.version ?? '-'}\n`
        : `accepted\treceipt ${result.receipt}\n`,
    );
  }
  if (failed !== null && output === 'table') terminal.err(`${failed.text}\n`);
  return failed?.code ?? exitCode.valid;
}

/** Prints the value of a key, bare: text ends in one newline, bytes (`raw`) are left as they are. */
export function printValue(session: Session, result: KeyResult, raw: boolean): ExitCode {
  const { terminal, output } = session;
  const failed = complaint(result);
  if (output === 'json') {
    terminal.out(formatJson(jsonResponse(result)));
    return failed?.code ?? (result.value === null ? exitCode.refused : exitCode.valid);
  }
  if (failed !== null) {
    terminal.err(`${failed.text}\n`);
    return failed.code;
  }
  if (result.value === null) {
    terminal.err('not found\n');
    return exitCode.refused;
  }
  if (raw) {
    terminal.out(result.value);
    return exitCode.valid;
  }
  const json = jsonValue(result.value);
  if (!('value' in json)) {
    terminal.err(`the value is not text (${result.value.length} bytes); --bytes prints it as it is\n`);
    return exitCode.failure;
  }
  terminal.out(json.value?.endsWith('\n') === true ? json.value : `${json.value ?? ''}\n`);
  return exitCode.valid;
}

function jsonResponse({ value, ...rest }: KeyResult): object {
  const { valid, timeout, ...more } = rest;
  return { valid, timeout, ...jsonValue(value), ...more };
}

/** Prints the state of a quorum-less write. */
export function printReceipt(session: Session, result: ReceiptResult): ExitCode {
  const { terminal, output } = session;
  if (output === 'json') terminal.out(formatJson(result));
  else if (result.timeout) terminal.err(`timeout; still ${result.state}\n`);
  else
    terminal.out(
      `${result.state}${result.reason === undefined ? '' : `\t${result.reason}`}${result.version === null ? '' : `\tversion ${result.version}`}\n`,
    );
  if (result.timeout) return exitCode.timeout;
  return result.state === 'unknown' || result.state === 'rejected' ? exitCode.refused : exitCode.valid;
}
