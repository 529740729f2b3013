export {
  bindConfig,
  ConfigError,
  type Config,
  type ConfigClient,
  type ConfigOptions,
  type ConfigProblem,
  type ConfigSource,
} from './config.ts';
export type { Format } from './entries.ts';
export type { ConfigIssue, SchemaIssue, SchemaResult, StandardSchema } from './schema.ts';
