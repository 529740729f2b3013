export { DirectLink, type DirectLinkOptions } from './direct-link.ts';
export { linkPath, linkProtocolVersion } from './hello.ts';
export { defaultDirectLinkLimits, directLinkLimits, type DirectLinkLimits } from './limits.ts';
