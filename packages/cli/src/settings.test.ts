import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeDevState, type DevState } from './dev/state-file.ts';
import { resolveSettings } from './settings.ts';
import { temporaryFolder } from './testing/fake-node.ts';

const flag = 'ws://flag:1';
const environment = 'ws://env:1';
const file = 'ws://file:1';

function withConfig<Result>(content: unknown, use: (path: string) => Result): Result {
  using folder = temporaryFolder();
  const path = join(folder.path, 'skerry.json');
  writeFileSync(path, JSON.stringify(content));
  return use(path);
}

describe('settings', () => {
  test('come from the flag, then the environment, then the config file, then the default', () => {
    withConfig({ endpoints: [file], output: 'json' }, (config) => {
      const env = { SKERRY_DATA: '/nonexistent', SKERRY_ENDPOINTS: `${environment}, ws://env:2` };
      expect(resolveSettings({ endpoint: [flag], config }, env).endpoints).toEqual([flag]);
      expect(resolveSettings({ config }, env).endpoints).toEqual([environment, 'ws://env:2']);
      expect(resolveSettings({ config }, { ...env, SKERRY_ENDPOINTS: '' }).endpoints).toEqual([file]);
      expect(resolveSettings({}, { SKERRY_DATA: '/nonexistent' }).endpoints).toEqual(['ws://127.0.0.1:7110']);
      expect(resolveSettings({ config }, env).output).toBe('json');
      expect(resolveSettings({ config }, { ...env, SKERRY_OUTPUT: 'table' }).output).toBe('table');
      expect(resolveSettings({ config, output: 'json' }, { ...env, SKERRY_OUTPUT: 'table' }).output).toBe('json');
    });
  });

  test('find the first region of the dev cluster that runs on the data folder, and not one that has ended', () => {
    using folder = temporaryFolder();
    const node = {
      name: 'region-1-1',
      client: 'ws://127.0.0.1:9110',
      admin: '',
      state: 'running' as const,
      pid: 1,
      log: '',
    };
    const state: DevState = {
      format: 1,
      pid: process.pid,
      control: { url: '', token: '' },
      regions: [{ name: 'region-1', nodes: [node] }],
    };
    writeDevState(folder.path, state);
    expect(resolveSettings({}, { SKERRY_DATA: folder.path }).endpoints).toEqual(['ws://127.0.0.1:9110']);
    // Above every process id that Linux gives.
    writeDevState(folder.path, { ...state, pid: 2 ** 30 });
    expect(resolveSettings({}, { SKERRY_DATA: folder.path }).endpoints).toEqual(['ws://127.0.0.1:7110']);
  });

  test.each([
    [{ endpoint: [] }, 'unknown field endpoint'],
    [{ endpoints: 'ws://a:1' }, 'endpoints must be a list'],
    [{ output: 'yaml' }, 'output must be json or table'],
    [[], 'must hold a JSON object'],
    [{ endpoints: ['http://a:1'] }, 'http://a:1 is not an endpoint'],
  ])('a config file of %j is refused', (content, message) => {
    withConfig(content, (config) => {
      expect(() => resolveSettings({ config }, { SKERRY_DATA: '/nonexistent' })).toThrow(message);
    });
  });

  test('a config file that is not there is refused', () => {
    expect(() => resolveSettings({ config: '/nonexistent/x.json' }, {})).toThrow('cannot read the config file');
  });
});
