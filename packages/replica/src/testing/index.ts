export { describeStorage, memoryHarness, type StorageHarness } from './storage-suite.ts';
export { describeLink, type LinkSuiteOptions } from './link-suite.ts';
export {
  linkMetricNames,
  type LinkEndpoint,
  type LinkEndpointOptions,
  type LinkFaults,
  type LinkHarness,
} from './link-harness.ts';
export { describeRegionsOverLink } from './link-regions-suite.ts';
