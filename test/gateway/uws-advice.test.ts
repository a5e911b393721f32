// Which installation of uWebSockets.js is taken, and what is advised on machines where none fits.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adviceFor, type Host, thisHost } from '#src/gateway/uws-advice.js';
import { BUNDLED } from '#src/gateway/uws-packages.js';

const DEBIAN_12: Host = {
  node: 'v24.21.0',
  abi: '137',
  platform: 'linux-x64',
  glibc: '2.36',
  program: 'server.js',
  hasFlags: false,
};

describe('the advice', () => {
  it.each<[string, Partial<Host>, RegExp]>([
    ['Debian 12 with Node 24', {}, /Run it with Node 22: "npx --yes --package node@22 -- node server\.js"\.$/],
    [
      '… whose flags may be secrets',
      { hasFlags: true, program: 'm.js serve' },
      /-- node m\.js serve" and the same flags\.$/,
    ],
    [
      'Debian 13 without the second package',
      { glibc: '2.41' },
      /"npm install uWebSockets\.js@npm:@btc-vision\/uwebsockets\.js@20\.57\.0"/,
    ],
    ['Debian 13 with Node 23', { glibc: '2.41', node: 'v23.1.0' }, /npx --yes --package node@24 /],
    ['Debian 13 with Node 26', { glibc: '2.41', node: 'v26.0.0' }, /npx --yes --package node@24 /],
    ['Debian 12 without any package', { node: 'v20.20.2' }, /"npm install uWebSockets\.js@npm:uws-pack@20\.0\.8"/],
    ['a 32-bit Raspberry Pi with Node 24', { platform: 'linux-arm', glibc: '2.41' }, /npx --yes --package node@22 /],
    ['macOS with Node 23', { platform: 'darwin-arm64', glibc: null, node: 'v23.1.0' }, /npx --yes --package node@24 /],
    ['Alpine', { glibc: null }, /needs the GNU C library.*node:24-trixie-slim\.$/],
    ['CentOS 7', { glibc: '2.17' }, /There are some for .*, with glibc 2\.27 or newer\.$/],
    ['Windows on ARM', { platform: 'win32-arm64', glibc: null }, /There are some for linux-x64, .*win32-x64.*\.$/],
  ])('for %s', (_name, host, advice) => {
    const line = adviceFor({ ...DEBIAN_12, ...host });
    expect(line).toMatch(advice);
    expect(line).not.toContain('\n');
  });

  it('knows this machine', () => {
    const { node, abi, platform } = thisHost();
    expect({ node, abi, platform }).toEqual({
      node: process.version,
      abi: process.versions.modules,
      platform: `${process.platform}-${process.arch}`,
    });
  });

  it('names the versions that package.json asks for', () => {
    const { dependencies, optionalDependencies } = createRequire(import.meta.url)('../../package.json');
    const asked = { ...dependencies, ...optionalDependencies };
    for (const { specifier, packageName, version } of BUNDLED) {
      expect(asked[specifier]).toBe(specifier === packageName ? version : `npm:${packageName}@${version}`);
    }
  });
});

describe('an application with an installation of its own', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'ringcast-app-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs a program that lies in a folder with such a `node_modules/uWebSockets.js`. */
  async function run(name: string, index: string): Promise<string> {
    const app = path.join(folder, name);
    const own = path.join(app, 'node_modules', 'uWebSockets.js');
    mkdirSync(own, { recursive: true });
    writeFileSync(path.join(own, 'package.json'), JSON.stringify({ main: 'index.js' }));
    writeFileSync(path.join(own, 'index.js'), index);
    const door = new URL('../../dist/gateway/uws.js', import.meta.url).href;
    const program = path.join(app, 'main.mjs');
    writeFileSync(
      program,
      `const { loadUws } = await import('${door}');\nconst { name, App } = await loadUws();\nconsole.log(name ?? typeof App);\n`,
    );
    // From another folder: what counts is where the program lies.
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    });
    return stdout.trim();
  }

  it('gets that one', async () => {
    expect(await run('own', "module.exports = { name: 'own', us_socket_local_port() {} };")).toBe('own');
  });

  it.each([
    ['throws', "throw new Error('no binary');"],
    ['is too old', "module.exports = { name: 'old' };"],
  ])('gets a bundled one where its own %s', async (name, index) => {
    expect(await run(name, index)).toBe('function');
  });
});
