/** The two npm packages that hold the official binaries of uWebSockets.js, which is not on npm itself. */

/** What applications call it, whichever package is behind it. */
export const NAME = 'uWebSockets.js';

export interface UwsPackage {
  /** As it is imported. */
  readonly specifier: string;
  /** As npm installs it. */
  readonly packageName: string;
  readonly version: string;
  /** It has an entry for `require`; otherwise for `import` only. */
  readonly isCommonJs: boolean;
  /** Major versions of Node.js. */
  readonly nodes: readonly number[];
  /** The oldest GNU C library that its binaries for Linux load with. */
  readonly glibc: string;
  /** `process.platform` and `process.arch`. */
  readonly platforms: readonly string[];
}

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64'];

/** In the order in which they are tried: the first one has binaries for older C libraries, the second one for newer Nodes. */
export const BUNDLED: readonly UwsPackage[] = [
  {
    specifier: NAME,
    packageName: 'uws-pack',
    version: '20.0.8',
    isCommonJs: false,
    nodes: [20, 22],
    glibc: '2.27',
    platforms: [...PLATFORMS, 'linux-arm'],
  },
  {
    specifier: '@btc-vision/uwebsockets.js',
    packageName: '@btc-vision/uwebsockets.js',
    version: '20.57.0',
    isCommonJs: true,
    nodes: [20, 22, 24, 25],
    glibc: '2.38',
    platforms: PLATFORMS,
  },
];
