/**
 * `npm run check:package`: packs the package as it would be published and has publint and arethetypeswrong look at it. Builds
 * anew, so nothing may be running from `dist/`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ringcast-package-'));

function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}

try {
  run('npm', 'pack', '--silent', '--pack-destination', folder);
  const tarball = join(folder, readdirSync(folder)[0]);
  run('npx', '--no-install', 'publint', 'run', '--strict', tarball);
  // It is a package of ES modules: who uses `require` needs a Node.js that can load them so.
  run('npx', '--no-install', 'attw', '--profile', 'esm-only', tarball);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
