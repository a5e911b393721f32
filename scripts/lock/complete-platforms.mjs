/**
 * Completes package-lock.json: `node scripts/lock/complete-platforms.mjs`, after every change of dependencies.
 *
 * Packages with native code name one optional package per platform. A registry that lacks those of other platforms
 * (mirrors often do) makes `npm install` leave them out of the lock file, and `npm ci` refuse the lock file everywhere.
 * What is missing is entered with the exact version that its parent asks for, and with the platform that its name
 * tells, so that npm fetches it on that platform only. Their checksums are not known here; npm adds them where it can.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingOptionalPackages } from './missing.mjs';

const path = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(path, 'utf8'));

/** The parts of a name like `cli-linux-x64-musl` that are values of npm's os, cpu and libc. */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const pick = (known) => words.filter((word) => known.includes(word));
  const os = pick(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']);
  const cpu = pick(['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64']);
  const libc = words.includes('musl') ? ['musl'] : [];
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(os.length > 0 ? { os } : {}),
    ...(libc.length > 0 ? { libc } : {}),
  };
}

const missing = missingOptionalPackages(lock);
for (const { name, version, parent } of missing) {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) throw new Error(`${name}: ${version} is not an exact version`);
  const { dev } = lock.packages[parent];
  lock.packages[`node_modules/${name}`] = { version, ...(dev ? { dev } : {}), optional: true, ...platformOf(name) };
}
const [root, ...packages] = Object.entries(lock.packages);
packages.sort(([left], [right]) => left.localeCompare(right, 'en')); // npm's own order
lock.packages = Object.fromEntries([root, ...packages]);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${missing.length} packages of other platforms added`);
