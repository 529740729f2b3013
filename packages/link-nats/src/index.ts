export { NatsLink, type NatsLinkOptions } from './link.ts';
export type { LinkLogger } from './context.ts';
export { defaultNatsLinkLimits, defaultNatsLinkTiming, type NatsLinkLimits, type NatsLinkTiming } from './limits.ts';
