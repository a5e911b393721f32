/**
 * Builds after `npm install` or `npm ci` in a checkout, before a package is made, and where ringcast is a git dependency: npm
 * calls it as `prepare`. Without the compiler (`npm ci --omit=dev`) there is nothing to build with, and that is no failure.
 * `npx ringcast` in a checkout calls it too, at its first use: what is built already stays, as a server may be running from it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

function hasCompiler() {
  try {
    require.resolve('typescript/package.json');
    return true;
  } catch {
    return false;
  }
}

const builtForNpx = process.env.npm_command === 'exec' && existsSync(new URL('../dist/cli/main.js', import.meta.url));

if (builtForNpx) {
  // nothing to do
} else if (hasCompiler()) {
  const { status } = spawnSync('npm run --silent build', { stdio: 'inherit', shell: true });
  process.exitCode = status ?? 1;
} else {
  console.log('ringcast: not built, because typescript is not installed');
}
