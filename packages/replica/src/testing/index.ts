export { describeStorage, memoryHarness, type StorageHarness } from './storage-suite.ts';
