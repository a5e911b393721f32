/** What to do where no binary of uWebSockets.js loads: one line, with a command that works on that machine. */
import { relative } from 'node:path';
import { BUNDLED, NAME, type UwsPackage } from './uws-packages.js';

/** What decides which binary loads, and how the program was started. */
export interface Host {
  /** `process.version` */
  readonly node: string;
  readonly abi: string;
  /** `process.platform` and `process.arch`: `linux-x64`. */
  readonly platform: string;
  /** Null: not Linux, or a C library that is not GNU's, such as Alpine's musl. */
  readonly glibc: string | null;
  /** The program, as it can be given to `node`. */
  readonly program: string;
  readonly hasFlags: boolean;
}

export function thisHost(): Host {
  const [, script = '', ...args] = process.argv;
  const near = relative('', script);
  const path = near.startsWith('..') ? script : near;
  // Flags may hold secrets, and this line goes into logs: only words before the first one are repeated.
  const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
  const words = (firstFlag < 0 ? args : args.slice(0, firstFlag)).filter((arg) => /^[\w.:/-]+$/.test(arg));
  return {
    node: process.version,
    abi: process.versions.modules,
    platform: `${process.platform}-${process.arch}`,
    glibc: process.platform === 'linux' ? glibcVersion() : null,
    program: script === '' ? 'your-program.js' : [quoted(path), ...words].join(' '),
    hasFlags: firstFlag >= 0,
  };
}

/** Pure, so that a table can test it. */
export function adviceFor(host: Host): string {
  const here = `Node ${host.node}, ${host.platform}, ABI ${host.abi}${libraryOf(host)}`;
  const none = `uWebSockets.js has no binary for what runs here (${here})`;
  const fit = fitting(host);
  if (host.platform.startsWith('linux-') && host.glibc === null) {
    return `${none}: it needs the GNU C library. Run it where there is one, as in the image node:24-trixie-slim.`;
  }
  if (fit.length === 0) {
    const known = [...new Set(BUNDLED.flatMap(({ platforms }) => platforms))].join(', ');
    return `${none}. There are some for ${known}${host.glibc === null ? '' : `, with glibc ${BUNDLED[0].glibc} or newer`}.`;
  }
  const major = Number(/\d+/.exec(host.node)?.[0]);
  const forThisNode = fit.find(({ nodes }) => nodes.includes(major));
  if (forThisNode !== undefined) {
    const { packageName, version } = forThisNode;
    return `uWebSockets.js does not load (${here}): install it with "npm install ${NAME}@npm:${packageName}@${version}".`;
  }
  // The newest one with long-term support: those have even numbers.
  const better = Math.max(...fit.flatMap(({ nodes }) => nodes).filter((node) => node % 2 === 0));
  const command = `npx --yes --package node@${better} -- node ${host.program}`;
  return `${none}. Run it with Node ${better}: "${command}"${host.hasFlags ? ' and the same flags' : ''}.`;
}

/** The packages that have some binary for this platform and C library, whatever the Node. */
function fitting({ platform, glibc }: Host): UwsPackage[] {
  return BUNDLED.filter(
    (each) => each.platforms.includes(platform) && (glibc === null || isAtLeast(glibc, each.glibc)),
  );
}

function isAtLeast(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function libraryOf({ platform, glibc }: Host): string {
  if (!platform.startsWith('linux-')) return '';
  return glibc === null ? ', without glibc' : `, glibc ${glibc}`;
}

function glibcVersion(): string | null {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ?? null;
}

function quoted(path: string): string {
  return /^[\w.@:/\\-]+$/.test(path) ? path : `'${path}'`;
}
