/** `ringcast prune`: deletes the native binaries that this platform and this Node cannot load, as in a container image. */
import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { formatSizeBytes } from '../config.js';
import { CommandFailure } from './failure.js';

/** The packages as they are imported (gateway/uws-packages.ts), and where their binaries lie beside the entry. */
const PACKAGES = [
  { specifier: 'uWebSockets.js', folder: 'bin' },
  { specifier: '@btc-vision/uwebsockets.js', folder: '.' },
];
/** `uws_linux_x64_115.node`: platform, processor and the number of Node's binary interface. */
const BINARY = /^uws_[a-z0-9]+_[a-z0-9]+_\d+\.node$/;

export function pruneCommand(): Command {
  const command = new Command('prune')
    .description('delete the native binaries of other platforms and other Nodes from the installed packages')
    .option('--dry-run', 'only say which');
  return command.action(() => prune(command.opts().dryRun === true));
}

function prune(isDryRun: boolean): void {
  const folders = PACKAGES.flatMap(({ specifier, folder }) => folderOf(specifier, folder));
  for (const line of pruneBinaries(folders, isDryRun)) console.log(line);
}

/** What was done, or with `isDryRun` what would be. Throws CommandFailure where nothing would be left. */
export function pruneBinaries(folders: readonly string[], isDryRun: boolean): string[] {
  const { platform, arch, version, versions } = process;
  const wanted = `uws_${platform}_${arch}_${versions.modules}.node`;
  const binaries = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const [kept, others] = [true, false].map((isKept) =>
    binaries.filter((path) => BINARY.test(basename(path)) && (basename(path) === wanted) === isKept),
  ) as [string[], string[]];
  if (kept.length === 0) {
    throw new CommandFailure(
      `there is no ${wanted}, so nothing would be left; run this with the Node that is going to run ringcast`,
    );
  }
  let freedBytes = 0;
  for (const path of others) {
    freedBytes += statSync(path).size;
    if (!isDryRun) unlinkSync(path);
  }
  const what = isDryRun ? 'would be deleted' : 'deleted';
  return [
    ...(isDryRun ? others : []),
    `${others.length} binaries ${what}: ${formatSizeBytes(freedBytes)}; ${kept.length} stay, for ${platform} ${arch} and Node ${version}`,
  ];
}

/** None where the package is not installed. */
function folderOf(specifier: string, folder: string): string[] {
  try {
    const place = join(dirname(fileURLToPath(import.meta.resolve(specifier))), folder);
    return existsSync(place) ? [place] : [];
  } catch {
    return [];
  }
}
