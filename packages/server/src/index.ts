export {
  ConfigError,
  describeConfig,
  loadConfig,
  serverConfigSchema,
  type ConfigDescription,
  type ConfigFieldKind,
  type ConfigSources,
  type LinkKind,
  type LogLevel,
  type PeerAddress,
  type RegionAddress,
  type ServerConfig,
} from './config.ts';
export { exitCodes, type Fatal } from './fatal.ts';
export { defaultClientLimits, defaultPeerLimits, type ClientLimits, type PeerLimits } from './limits.ts';
export { startServer, type RunningServer, type ServerEvents } from './server.ts';
