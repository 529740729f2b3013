import { describeRegionsOverLink } from '@skerry/replica/testing';
import { DirectHarness } from './testing/harness.ts';

const mib = 1_024 * 1_024;

describeRegionsOverLink('DirectLink', {
  create: () => Promise.resolve(new DirectHarness({ frameBytesMax: mib, unsentBytesMax: 2 * mib })),
  hasLog: false,
});
