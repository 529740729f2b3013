/**
 * What this package needs of a Standard Schema (version 1, standardschema.dev): zod, valibot, arktype and others have it.
 * Any validator can be wrapped so; nothing else of them is used.
 */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** One thing that does not fit, and where: `['db', 'port']`. */
export interface ConfigIssue {
  readonly path: readonly string[];
  readonly message: string;
}

export function issueOf({ message, path = [] }: SchemaIssue): ConfigIssue {
  return { path: path.map((step) => String(typeof step === 'object' ? step.key : step)), message };
}

/** `db.port: expected a number; mode: …` */
export function describeIssues(issues: readonly ConfigIssue[]): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ');
}
