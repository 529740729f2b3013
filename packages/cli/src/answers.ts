import type { Session } from './command.ts';
import type { Answered, KeyResult, ReceiptResult, ViewResult, DeleteResult } from './database.ts';
import { exitCode, type ExitCode } from './exit-code.ts';
import { formatJson, jsonValue, visible } from './output.ts';
import { shownJson, shownText, type Shown } from './shown.ts';

/** What a timeout or a refusal means and what to do, on standard error; null if the call was valid. */
export function complaint(result: Answered): { readonly text: string; readonly code: ExitCode } | null {
  if (result.outcome === 'undecided') {
    return {
      text: `timeout, undecided: it may have been applied or may still be; ${nextStep(result)}`,
      code: exitCode.timeout,
    };
  }
  if (result.outcome === 'notApplied')
    return { text: 'timeout, not applied: it never will be', code: exitCode.timeout };
  if (result.timeout) return { text: 'timeout', code: exitCode.timeout };
  if (result.outcome === 'refused' || !result.valid)
    return { text: 'refused: the key has another value', code: exitCode.refused };
  return null;
}

/** What tells more of a write that is undecided. A quorum-less one has no ticket. */
function nextStep({ ticket, receipt }: Answered): string {
  if (ticket !== undefined) return `its outcome, when it is known: skerry resolve ${ticket}`;
  return receipt === undefined ? 'write it again' : `what becomes of it: skerry receipt wait ${receipt}`;
}

/** Prints the answer to a write: one line, or the whole response as JSON. */
export function printWrite(session: Session, result: KeyResult): ExitCode {
  return printDone(session, result, { json: jsonResponse(result), more: '' });
}

/** The same for a delete, which tells whether there was such a key. */
export function printDelete(session: Session, result: DeleteResult): ExitCode {
  const { existed } = result;
  const done = existed === undefined ? {} : { done: existed ? 'deleted' : 'there was no such key' };
  return printDone(session, result, { json: jsonResponse(result), more: '', ...done });
}

/** The same for a write of any other type, with the value that it led to where that is told. */
export async function printUpdate(session: Session, result: ViewResult): Promise<ExitCode> {
  const json = session.output === 'json' ? await jsonOfView(result) : {};
  const more = result.view === null || session.output === 'json' ? '' : `\t${visible(await shownText(result.view))}`;
  return printDone(session, result, { json, more });
}

function printDone(
  { terminal, output }: Session,
  result: Answered,
  { json, more, done }: { readonly json: object; readonly more: string; readonly done?: string },
): ExitCode {
  const failed = complaint(result);
  const { receipt, version } = result;
  if (output === 'json') terminal.out(formatJson(json));
  else if (failed === null && done !== undefined) terminal.out(`${done}\n`);
  else if (failed === null) {
    terminal.out(
      receipt === undefined ? `applied\tversion ${version ?? '-'}${more}\n` : `accepted\treceipt ${receipt}${more}\n`,
    );
  } else terminal.err(`${failed.text}\n`);
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

/** Prints what is read of any other type: `print` gives it as a table. */
export async function printView(
  session: Session,
  result: ViewResult,
  print: (shown: Shown) => string | Promise<string>,
): Promise<ExitCode> {
  const { terminal, output } = session;
  const failed = complaint(result);
  if (output === 'json') terminal.out(formatJson(await jsonOfView(result)));
  else if (failed !== null) terminal.err(`${failed.text}\n`);
  else if (result.view === null) terminal.err('not found\n');
  else terminal.out(await print(result.view));
  return failed?.code ?? (result.view === null ? exitCode.refused : exitCode.valid);
}

async function jsonOfView({ view, valid, timeout, ...more }: ViewResult): Promise<object> {
  return { valid, timeout, view: view === null ? null : await shownJson(view), ...more };
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
