/** Which part of src/ may import which, and through which door each third-party package comes in. */
import { posix } from 'node:path';
import { codeOf, importsOf, lineAt } from './code.mjs';

/** The parts of src/: a folder, or a root file by its name. `errors` and `limits` may be imported by all and are not
 * repeated here. */
const MAY_IMPORT = {
  errors: [],
  limits: [],
  protocol: [],
  ring: [],
  log: [],
  counters: ['protocol'],
  time: [],
  book: [],
  variant: ['protocol'],
  topic: ['book', 'protocol', 'log', 'variant'],
  home: ['time', 'log', 'topic', 'variant', 'protocol'],
  lane: ['time', 'ring', 'log', 'counters', 'topic', 'home', 'variant', 'protocol'],
  delivery: ['time', 'log', 'counters', 'variant', 'protocol'],
  directory: ['book', 'time', 'log', 'topic', 'home', 'delivery', 'variant', 'protocol'],
  moves: ['time', 'log', 'counters', 'topic', 'home', 'lane', 'delivery', 'directory', 'variant'],
  router: ['book', 'time', 'topic', 'home', 'delivery', 'directory', 'variant', 'protocol'],
  local: ['time', 'delivery', 'directory', 'router', 'variant', 'protocol'],
  gateway: ['time', 'router', 'delivery', 'protocol'],
  control: [],
  client: ['book', 'protocol'],
  config: ['book', 'log', 'topic', 'variant', 'protocol'],
  load: ['config', 'protocol'],
  sizing: ['load', 'config', 'index', 'log', 'protocol', 'ring'],
  engine: [
    'protocol',
    'counters',
    'time',
    'home',
    'lane',
    'delivery',
    'directory',
    'moves',
    'router',
    'local',
    'gateway',
    'variant',
    'control',
    'config',
  ],
  index: ['engine', 'config', 'counters', 'protocol', 'directory', 'local', 'router'],
  cli: ['index', 'config', 'client', 'load', 'sizing'],
};

/** Packages, and the only places that may import each: a file, a folder, or `src/config`, which is both. */
const DOORS = {
  'uWebSockets.js': 'src/gateway/',
  piscina: 'src/lane/pool.ts',
  fastify: 'src/control/',
  zod: ['src/config', 'src/sizing/'],
  commander: 'src/cli/',
  'cli-progress': 'src/cli/',
  'cli-table3': 'src/cli/',
  'log-update': 'src/cli/',
  picocolors: 'src/cli/',
  ws: 'src/cli/',
  'hdr-histogram-js': 'src/load/latency-histogram.ts',
  'smol-toml': 'src/sizing/',
  '@marcbachmann/cel-js': 'src/variant/filter-syntax.ts',
  re2js: 'src/variant/filter-pattern.ts',
};

/** Parts that also run in a browser. */
const RUNTIME_NEUTRAL = ['protocol', 'client'];

/** `config.ts` and `config/` are one part; `lane/pool.ts` belongs to `lane`. */
function partOf(path) {
  const [first] = path.slice('src/'.length).split('/');
  return first.replace(/\.ts$/, '');
}

function isSource(path) {
  return path.startsWith('src/') && path.endsWith('.ts');
}

export const importsBetweenParts = {
  name: 'import-between-folders',
  reason: 'the folder table is the architecture: what it does not allow couples parts that must stay replaceable',
  check(repository) {
    return forEachImport(repository, (path, specifier) => {
      if (!specifier.startsWith('.')) return null;
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      if (target === 'package.json') return null;
      if (!target.startsWith('src/')) return `imports ${specifier}, which is outside src/ and not in the package`;
      const from = partOf(path);
      const to = partOf(target.replace(/\.js$/, '.ts'));
      const allowed = MAY_IMPORT[from];
      if (allowed === undefined)
        return `is in ${from}, which scripts/tidy/import-rules.mjs does not know; add it to the table`;
      if (to === from || to === 'errors' || to === 'limits' || allowed.includes(to)) return null;
      return `${from} may import ${['errors', 'limits', ...allowed].join(', ')}, not ${to} (${specifier})`;
    });
  },
};

export const packageDoors = {
  name: 'package-door',
  reason: 'one door per dependency, so that it can be replaced or upgraded in one place',
  check(repository) {
    return forEachImport(repository, (path, specifier) => {
      if (/^(\.|#|node:)/.test(specifier)) return specifier.startsWith('#') ? 'imports by #, which is for tests' : null;
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const door = DOORS[name];
      if (door === undefined) return `imports ${name}, which has no door in scripts/tidy/import-rules.mjs`;
      const doors = [door].flat();
      const isDoor = doors.some((each) =>
        each.endsWith('/') ? path.startsWith(each) : path === each || partOf(path) === posix.basename(each),
      );
      return isDoor ? null : `imports ${name}, whose only door is ${doors.join(' or ')}`;
    });
  },
};

export const runtimeNeutral = {
  name: 'runtime-neutral',
  reason: 'protocol/ and client/ also run in a browser, where there is no Node.js',
  check(repository) {
    const neutral = (path) => RUNTIME_NEUTRAL.includes(partOf(path));
    const imports = forEachImport(repository, (path, specifier) =>
      neutral(path) && specifier.startsWith('node:') ? `imports ${specifier}` : null,
    );
    const globals = repository.paths
      .filter((path) => isSource(path) && neutral(path))
      .flatMap((path) => {
        const code = codeOf(repository.read(path));
        return code.find(/(?<![.\w])(?:Buffer\s*[.(]|process\.\w)/g).map((match) => ({
          path,
          line: lineAt(code.text, match.index),
          message: `uses ${match[0].replace(/\W.*$/, '')}, a global of Node.js`,
        }));
      });
    return [...imports, ...globals];
  },
};

function forEachImport(repository, judge) {
  const problems = [];
  for (const path of repository.paths.filter(isSource)) {
    for (const { specifier, line } of importsOf(repository.read(path))) {
      const message = judge(path, specifier);
      if (message !== null) problems.push({ path, line, message });
    }
  }
  return problems;
}
