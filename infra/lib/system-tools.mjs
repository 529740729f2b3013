import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './process.mjs';

/** Programs that tests on real processes use, and the Debian packages they come from. Skerry itself needs none. */
const tools = [
  { program: 'fiu-run', package: 'fiu-utils', for: 'failing disks' },
  { program: 'mkfs.xfs', package: 'xfsprogs', for: 'power cuts' },
  { program: 'nft', package: 'nftables', for: 'network partitions' },
  { program: 'faketime', package: 'faketime', for: 'wrong clocks' },
  { program: 'nats-server', package: 'nats-server', for: 'links over NATS' },
];

/** Installs what is missing where that is possible, else says what will not be run. Never a reason to fail. */
export async function installSystemTools() {
  let missing = tools.filter((tool) => !onPath(tool.program));
  if (missing.length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const options = { quiet: true, env, timeoutMs: 180_000 };
    await run('apt-get', ['update', '-qq'], options);
    await run(
      'apt-get',
      ['install', '-qq', '--no-install-recommends', ...missing.map((tool) => tool.package)],
      options,
    );
    missing = tools.filter((tool) => !onPath(tool.program));
  }
  for (const tool of missing) {
    console.log(`Without ${tool.program} (Debian package ${tool.package}), the tests of ${tool.for} are not run.`);
  }
  return { passed: 0, failed: 0, skipped: 0 };
}

function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
