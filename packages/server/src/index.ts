export {
  ConfigError,
  describeConfig,
  loadConfig,
  serverConfigSchema,
  type ConfigDescription,
  type ConfigFieldKind,
  type ConfigSources,
  type LogLevel,
  type PeerAddress,
  type ServerConfig,
} from './config.ts';
export { exitCodes, type Fatal } from './fatal.ts';
export { defaultClientLimits, defaultPeerLimits, type ClientLimits, type PeerLimits } from './limits.ts';
export { startServer, type RunningServer, type ServerEvents } from './server.ts';
