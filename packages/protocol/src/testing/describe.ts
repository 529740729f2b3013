import { errorEntry, errorCodes } from '../errors.ts';
import type { UnionField } from '../layout.ts';
import {
  answerLayout,
  clientControlLayout,
  compareLayout,
  operationLayout,
  recordLayouts,
  serverControlLayout,
  txnOperationLayout,
  valueChangeLayout,
  valueViewLayout,
} from '../layouts.ts';

/** The text of `docs/errors.md`. */
export function describeErrors(): string {
  const rows = errorCodes.map((code) => {
    const { text, httpStatus, definite, retry } = errorEntry(code);
    return `| \`${code}\` | ${text} | ${httpStatus} | ${definite ? 'yes' : 'no'} | ${retry} |`;
  });
  return `# Errors

Made from the table in \`packages/protocol/src/errors.ts\`; a test holds the two together. \`npm test\` with
\`SKERRY_WRITE_DOCS=1\` in the environment writes this page anew.

*Definite* means: the attempt that was answered so has had no effect and never will have one. An error that carries a
ticket is indefinite whatever the table says. *Retry* says whether trying again can help, and where.

| code | meaning | HTTP | definite | retry |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

/** The tables of messages in \`docs/protocol.md\`. */
export function describeLayouts(): string {
  return [
    describeUnion('Messages of a client', clientControlLayout),
    describeUnion('Operations', operationLayout),
    describeUnion('Changes of a value', valueChangeLayout),
    describeUnion('Comparisons of a transaction', compareLayout),
    describeUnion('Operations of a transaction', txnOperationLayout),
    describeUnion('Messages of a server', serverControlLayout),
    describeUnion('Answers', answerLayout),
    describeUnion('Views of a value', valueViewLayout),
    describeRecords(),
  ].join('\n');
}

function describeRecords(): string {
  const rows = recordLayouts.map(({ name, fields }) => `| ${name} | ${describeFields(fields)} |`);
  return `### Without a tag\n\n| name | fields in order |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function describeFields(fields: readonly (readonly [string, string])[]): string {
  return fields.map(([key, type]) => `\`${key}\` ${type}`).join(' · ');
}

function describeUnion(title: string, layout: Pick<UnionField<never>, 'alternatives'>): string {
  const rows = layout.alternatives.map(({ kind, tag, fields }) => {
    const list = describeFields(fields);
    return `| ${tag} | \`${kind}\` | ${list === '' ? '(none)' : list} |`;
  });
  return `### ${title}\n\n| tag | kind | fields in order |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}
