import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expected, root, run } from './process.mjs';

const stampFile = join(root, 'node_modules', '.skerry-install');

/** Installs what the lockfile names, unless the last install was of the same lockfile and manifests. */
export async function install() {
  const manifests = manifestFiles();
  const stamp = fingerprint(manifests);
  if (isInstalled(manifests, stamp)) return;

  const version = pnpmVersion();
  const [command, ...prefix] = await findPnpm(version);
  console.error(`Installing dependencies with pnpm ${version}…`);
  const code = await run(
    command,
    [...prefix, 'install', '--frozen-lockfile', '--reporter=append-only', '--config.confirmModulesPurge=false'],
    {
      quiet: true,
    },
  );
  if (code !== 0) throw expected(`the install failed (pnpm ended with code ${code}); its output is above`);
  writeFileSync(stampFile, stamp);
}

function manifestFiles() {
  const folders = [...readdirSync(join(root, 'packages')).map((name) => join('packages', name)), join('test', 'bench')];
  const packages = folders.map((folder) => join(root, folder, 'package.json')).filter((file) => existsSync(file));
  return [...['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'].map((name) => join(root, name)), ...packages];
}

function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(root.length)).update('\0').update(readFileSync(file)).update('\0');
  // Native modules are built per platform and Node ABI; a folder copied from another machine is installed again.
  hash.update(`${process.platform} ${process.arch} ${process.versions.modules}`);
  return hash.digest('hex');
}

function isInstalled(manifests, stamp) {
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) return false;
  return manifests
    .filter((file) => file.endsWith('package.json'))
    .filter((file) => Object.keys(JSON.parse(readFileSync(file, 'utf8')).dependencies ?? {}).length > 0)
    .every((file) => existsSync(join(file, '..', 'node_modules')));
}

function pnpmVersion() {
  const field = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager;
  return /^pnpm@([\d.]+)/.exec(field)[1];
}

/** A pnpm of exactly this version on the path, or npx, which fetches it. */
async function findPnpm(version) {
  const { spawnSync } = await import('node:child_process');
  const found = spawnSync('pnpm', ['--version'], { cwd: root, encoding: 'utf8' });
  if (found.status === 0 && found.stdout.trim() === version) return ['pnpm'];
  const npx = spawnSync('npx', ['--version'], { cwd: root, encoding: 'utf8' });
  if (npx.status !== 0) throw expected('neither pnpm nor npx was found; npm (which brings npx) comes with Node');
  return ['npx', '--yes', `pnpm@${version}`];
}
