/**
 * Builds after `npm install` or `npm ci` in a checkout, before a package is made, and where ringcast is a git dependency: npm
 * calls it as `prepare`. Without the compiler (`npm ci --omit=dev`) there is nothing to build with, and that is no failure.
 */
import { spawnSync } from 'node:child_process';
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

if (hasCompiler()) {
  const { status } = spawnSync('npm run --silent build', { stdio: 'inherit', shell: true });
  process.exitCode = status ?? 1;
} else {
  console.log('ringcast: not built, because typescript is not installed');
}
