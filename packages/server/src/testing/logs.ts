import { pino, type Logger } from 'pino';

export function silentLog(): Logger {
  return pino({ level: 'silent' });
}
