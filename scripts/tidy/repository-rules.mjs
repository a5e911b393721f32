/** What may lie in the repository, and what its texts may say. */
import { posix } from 'node:path';
import { missingOptionalPackages } from '../lock/missing.mjs';
import { lineAt } from './code.mjs';

const TOP_LEVEL = [
  'src',
  'bench',
  'test',
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'README.md',
  'CONTRIBUTING.md',
  'LICENSE',
];

export const topLevelEntries = {
  name: 'top-level',
  reason: 'the first page of the repository is what a newcomer sees; everything else has a folder',
  check(repository) {
    const entries = new Set(repository.paths.map((path) => path.split('/')[0]));
    return [...entries]
      .filter((entry) => !entry.startsWith('.') && !TOP_LEVEL.includes(entry))
      .map((entry) => ({ path: entry, line: 1, message: `is not one of ${TOP_LEVEL.join(', ')} or a dotfile` }));
  },
};

/** Written in parts, so that this file may be searched for them too. */
const MACHINE_FOLDERS = ['home', 'root', 'Users', 'work', 'tmp', 'mnt'];
const MACHINE_PATH = new RegExp(
  `(?<![\\w.~$})*@:/-])(?:/(?:${MACHINE_FOLDERS.join('|')})|[A-Z]:\\\\+Users)[/\\\\]+[\\w./-]+`,
  'g',
);

export const machinePaths = {
  name: 'machine-path',
  reason: 'an absolute path of one machine is wrong on every other; use a relative one, or os.tmpdir()',
  check(repository) {
    return repository.paths
      .filter((path) => path !== 'package-lock.json')
      .flatMap((path) => {
        const text = repository.read(path);
        return [...text.matchAll(MACHINE_PATH)].map((match) => ({
          path,
          line: lineAt(text, match.index),
          message: `contains ${match[0]}`,
        }));
      });
  },
};

export const registryHosts = {
  name: 'registry-host',
  reason: 'a host in the lock file or .npmrc makes npm ci fail or slow wherever that host is not reachable',
  check(repository) {
    return ['package-lock.json', '.npmrc']
      .filter((path) => repository.paths.includes(path))
      .flatMap((path) => {
        const text = repository.read(path);
        return [...text.matchAll(/"resolved":\s*"[a-z+]+:\/\/[^"]*"|^.*registry\s*=\s*\S+/gm)].map((match) => ({
          path,
          line: lineAt(text, match.index),
          message: `contains ${match[0].trim()}`,
        }));
      });
  },
};

export const completeLockFile = {
  name: 'lock-complete',
  reason:
    'npm ci refuses a lock file without the packages of other platforms; run node scripts/lock/complete-platforms.mjs',
  check(repository) {
    const path = 'package-lock.json';
    if (!repository.paths.includes(path)) return [];
    const text = repository.read(path);
    return missingOptionalPackages(JSON.parse(text)).map(({ name, version, parent }) => ({
      path,
      line: lineAt(text, text.indexOf(`"${parent}"`)),
      message: `lacks ${name} ${version}, an optional dependency of ${parent}`,
    }));
  },
};

export const relativeLinks = {
  name: 'relative-link',
  reason: 'a link to nowhere costs every reader time',
  check(repository) {
    const known = new Set(repository.paths);
    for (const path of repository.paths) {
      for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder)) known.add(folder);
    }
    return repository.paths
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        linksOf(repository.read(path)).flatMap(({ target, line }) => {
          const [file] = target.split(/[#?]/);
          if (/^[a-z][a-z+.-]*:/i.test(target) || file === '') return [];
          const decoded = file.includes('%') ? decodeURIComponent(file) : file;
          const resolved = posix.normalize(posix.join(posix.dirname(path), decoded)).replace(/\/$/, '');
          return resolved === '.' || known.has(resolved)
            ? []
            : [{ path, line, message: `links to ${target}, which is not there` }];
        }),
      );
  },
};

/** Inline links, images and reference definitions, outside code. */
function linksOf(markdown) {
  const blank = (part) => part.replace(/[^\n]/g, ' ');
  const text = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, blank).replace(/`[^`\n]*`/g, blank);
  const forms = [/\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^)]*)?\)/g, /^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm];
  return forms.flatMap((form) =>
    [...text.matchAll(form)].map((match) => ({
      target: match[1],
      line: lineAt(text, match.index + match[0].search(/\S/)),
    })),
  );
}
