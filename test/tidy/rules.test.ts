// Every rule of the house, with files that keep it and files that break it.
import { describe, expect, it } from 'vitest';
import { findProblems, RULES } from '../../scripts/tidy/rules.mjs';

type Files = Record<string, string>;

const PURPOSE = '/** What this file is for. */\n';

/** Problems of one rule, as "path:line message". */
function broken(rule: string, files: Files): string[] {
  const repository = { paths: Object.keys(files).sort(), read: (path: string) => files[path] };
  return findProblems(repository)
    .filter((problem) => problem.rule === rule)
    .map(({ path, line, message }) => `${path}:${line} ${message}`);
}

const importing = (specifier: string) => `import { x } from '${specifier}';`;
/** Words and paths that this file must not contain itself. */
const later = ['TO', 'DO'].join('');
const machinePath = (folder: string) => ['', folder, 'somebody', 'ringcast'].join('/');

/** A lock file with one package that has a native part for each platform. */
function lockFile(...present: string[]): string {
  const packages: Record<string, object> = {
    '': {},
    'node_modules/a/node_modules/b': { optionalDependencies: { 'b-darwin': '1.2.3' } },
  };
  for (const path of present) packages[path] = {};
  return JSON.stringify({ packages }, null, 2);
}

const BREAKS: [rule: string, what: string, files: Files, parts: string[]][] = [
  [
    'import-between-folders',
    'a topic that knows delivery',
    { 'src/topic/topic.ts': importing('../delivery/sink.js') },
    ['topic may import errors, limits, book, protocol, log, variant, not delivery'],
  ],
  [
    'import-between-folders',
    'a type-only import',
    { 'src/ring/a.ts': "import type { Topic } from '../topic/topic.js';" },
    ['not topic'],
  ],
  [
    'import-between-folders',
    'an import over many lines',
    { 'src/log/a.ts': "import {\n  a,\n  type B,\n} from '../ring/ring.js';" },
    ['src/log/a.ts:4 log may import errors, limits, not ring'],
  ],
  ['import-between-folders', 'an import without names', { 'src/log/a.ts': "import '../ring/ring.js';" }, ['not ring']],
  ['import-between-folders', 'a re-export', { 'src/log/a.ts': "export { a } from '../ring/ring.js';" }, ['not ring']],
  [
    'import-between-folders',
    'an import at run time',
    { 'src/gateway/a.ts': "const m = await import('../topic/topic.js');" },
    ['not topic'],
  ],
  [
    'import-between-folders',
    'a type by import()',
    { 'src/gateway/a.ts': "type T = import('../log/log.js').Log;" },
    ['not log'],
  ],
  [
    'import-between-folders',
    'the entry of a worker',
    { 'src/router/a.ts': "new URL('../ring/w.js', import.meta.url)" },
    ['not ring'],
  ],
  [
    'import-between-folders',
    'control beyond its port',
    { 'src/control/a.ts': importing('../router/router.js') },
    ['control may import errors, limits, not router'],
  ],
  [
    'import-between-folders',
    'a command that reaches into a part',
    { 'src/cli/a.ts': importing('../gateway/server.js') },
    ['cli may import errors, limits, index, config, client, load, sizing, not gateway'],
  ],
  [
    'import-between-folders',
    'configuration in a part',
    { 'src/delivery/a.ts': importing('../config.js') },
    ['not config'],
  ],
  ['import-between-folders', 'the engine in a part', { 'src/gateway/a.ts': importing('../engine.js') }, ['not engine']],
  [
    'import-between-folders',
    'a root file in the errors',
    { 'src/errors.ts': importing('./config.js') },
    ['not config'],
  ],
  [
    'import-between-folders',
    'a folder nobody knows',
    { 'src/utils/a.ts': importing('../ring/ring.js') },
    ['is in utils, which', 'does not know'],
  ],
  [
    'import-between-folders',
    'something outside src/',
    { 'src/cli/a.ts': importing('../../test/helper.js') },
    ['outside src/'],
  ],
  [
    'package-door',
    'uWebSockets.js outside the gateway',
    { 'src/engine.ts': importing('uWebSockets.js') },
    ['whose only door is src/gateway/'],
  ],
  [
    'package-door',
    'piscina beside the pool',
    { 'src/lane/worker.ts': importing('piscina') },
    ['whose only door is src/lane/pool.ts'],
  ],
  [
    'package-door',
    'a part of a package in a topic',
    { 'src/topic/a.ts': importing('hdr-histogram-js/dist') },
    ['imports hdr-histogram-js, whose only door is src/load/latency-histogram.ts'],
  ],
  ['package-door', 'fastify in the engine', { 'src/engine.ts': importing('fastify') }, ['src/control/']],
  ['package-door', 'zod in a command', { 'src/cli/a.ts': importing('zod') }, ['src/config']],
  ['package-door', 'zod in a part whose name begins alike', { 'src/configure.ts': importing('zod') }, ['src/config']],
  ['package-door', 'ws in the client', { 'src/client/a.ts': importing('ws') }, ['src/cli/']],
  ['package-door', 'commander in the configuration', { 'src/config/a.ts': importing('commander') }, ['src/cli/']],
  ['package-door', 'a progress bar in the engine', { 'src/engine.ts': importing('cli-progress') }, ['src/cli/']],
  [
    'package-door',
    'a package without a door',
    { 'src/cli/a.ts': importing('@scope/left-pad/x') },
    ['imports @scope/left-pad, which has no door'],
  ],
  ['package-door', 'an import by #', { 'src/cli/a.ts': importing('#src/index.js') }, ['for tests']],
  [
    'runtime-neutral',
    'Node.js in the protocol',
    { 'src/protocol/a.ts': importing('node:util') },
    ['imports node:util'],
  ],
  [
    'runtime-neutral',
    'a Buffer in the client',
    { 'src/client/a.ts': '\nBuffer.from(x)' },
    ['src/client/a.ts:2 uses Buffer'],
  ],
  ['runtime-neutral', 'process in the client', { 'src/client/a.ts': 'if (process.env.X) y()' }, ['uses process']],
  [
    'atomics',
    'Atomics in delivery',
    { 'src/delivery/a.ts': '\nAtomics.load(words, 0);' },
    ['src/delivery/a.ts:2 uses Atomics outside src/ring/'],
  ],
  [
    'purpose-comment',
    'a file that starts with code',
    { 'src/ring/a.ts': 'export const a = 1;' },
    ['src/ring/a.ts:1 does not begin with a comment'],
  ],
  ['purpose-comment', 'a comment without words', { 'scripts/a.mjs': '// ----\nrun();' }, ['scripts/a.mjs:1']],
  [
    'file-length',
    'a file of 501 lines',
    { 'src/ring/a.ts': PURPOSE + 'x();\n'.repeat(500) },
    ['has 501 lines, at most 500'],
  ],
  [
    'unique-types',
    'two types with one name',
    { 'src/a/a.ts': 'interface Load {}', 'src/b/b.ts': '\nexport class Load {}' },
    ['src/b/b.ts:2 Load is the name of a type in src/a/a.ts'],
  ],
  ['no-index-assertion', 'an index with a mark', { 'src/a/a.ts': `const x = [1][0]${'!'};` }, ['src/a/a.ts:1']],
  ['no-barrel', 'a barrel', { 'src/ring/index.ts': "export * from './ring.js';" }, ['export *']],
  ['forbidden-word', 'a note for later', { 'src/ring/a.ts': `// ${later}: later` }, [`contains the word ${later}`]],
  ['forbidden-word', 'a note for later in the docs', { 'README.md': `\n\n${later}` }, ['README.md:3']],
  ['no-only', 'a single test', { 'test/a.test.ts': "it.only('a', () => {});" }, ['contains it.only']],
  [
    'no-only',
    'a single table',
    { 'test/a.test.ts': "describe.concurrent.only('a', () => {});" },
    ['describe.concurrent.only'],
  ],
  [
    'no-silent-skip',
    'a test that never runs',
    { 'test/a.test.ts': "\nit.skip('a', () => {});" },
    ['test/a.test.ts:2 contains it.skip'],
  ],
  ['no-silent-skip', 'a test that is not written', { 'test/a.test.ts': "it.todo('a');" }, ['contains it.todo']],
  [
    'no-silent-skip',
    'a condition without notice',
    { 'test/a.test.ts': "it.skipIf(!there)('a', () => {});" },
    ['without a console.log'],
  ],
  [
    'no-silent-skip',
    'a skip without reason',
    { 'test/a.test.ts': "it('a', (context) => context.skip());" },
    ['gives no reason'],
  ],
  ['top-level', 'a folder too many', { 'docs/a.md': '', 'src/a.ts': PURPOSE }, ['docs:1 is not one of src']],
  ['machine-path', 'a home directory', { 'README.md': `run ${machinePath('home')}/bin` }, [machinePath('home')]],
  [
    'machine-path',
    'a folder for temporary files',
    { 'test/a.test.ts': `open('${machinePath('tmp')}')` },
    [machinePath('tmp')],
  ],
  [
    'registry-host',
    'a host in the lock file',
    { 'package-lock.json': '{\n"resolved": "https://npm.example/a.tgz" }' },
    ['package-lock.json:2 contains "resolved": "https://npm.example'],
  ],
  ['registry-host', 'a host in .npmrc', { '.npmrc': 'fund=false\nregistry=https://npm.example/' }, ['.npmrc:2']],
  [
    'lock-complete',
    'a lock file without another platform',
    { 'package-lock.json': lockFile('node_modules/c/node_modules/b-darwin') },
    ['package-lock.json:4 lacks b-darwin 1.2.3'],
  ],
  [
    'relative-link',
    'a link to nowhere',
    { 'README.md': '\n[a](src/absent.md#top)' },
    ['README.md:2 links to src/absent.md#top'],
  ],
  ['relative-link', 'an image that is not there', { 'src/A.md': '![a](./picture.png)' }, ['links to ./picture.png']],
  [
    'relative-link',
    'a definition',
    { 'README.md': '[a][b]\n\n[b]: ../outside.md' },
    ['README.md:3 links to ../outside.md'],
  ],
];

const KEEPS: [rule: string, what: string, files: Files][] = [
  [
    'import-between-folders',
    'what the table allows',
    {
      'src/topic/a.ts':
        importing('../log/log.js') +
        importing('../protocol/event.js') +
        importing('../errors.js') +
        importing('./b.js'),
      'src/lane/a.ts': importing('../ring/ring.js') + importing('../topic/topic.js'),
      'src/gateway/a.ts': importing('../router/router.js') + importing('../delivery/sink.js'),
      'src/engine.ts': importing('./lane/pool.js') + importing('./gateway/server.js') + importing('./config.js'),
      'src/index.ts': importing('./engine.js'),
      'src/config.ts': importing('./config/schema.js'),
      'src/config/schema.ts': importing('../protocol/topic-name.js'),
      'src/cli/a.ts': `${importing('../config.js')}${importing('../client/client.js')}new URL('../../package.json', import.meta.url)`,
    },
  ],
  [
    'import-between-folders',
    'imports in comments and texts',
    {
      'src/ring/a.ts':
        "/* import { a } from '../topic/a.js'; */\nconst text = \"import('../topic/a.js')\"; // require('../topic/a.js')",
    },
  ],
  [
    'package-door',
    'each package at its door',
    {
      'src/gateway/server.ts': importing('uWebSockets.js'),
      'src/lane/pool.ts': importing('piscina'),
      'src/control/server.ts': importing('fastify'),
      'src/config.ts': importing('zod'),
      'src/config/schema.ts': importing('zod'),
      'src/cli/main.ts': importing('commander') + importing('cli-progress') + importing('ws') + importing('node:fs'),
      'test/a.test.ts': importing('ws'),
    },
  ],
  [
    'runtime-neutral',
    'what every runtime has',
    {
      'src/protocol/a.ts': "const b = new ArrayBuffer(8); const text = 'Buffer.from'; // Buffer.from(",
      'src/gateway/a.ts': `${importing('node:util')} Buffer.from(x)`,
    },
  ],
  [
    'atomics',
    'Atomics where they belong, or only named',
    {
      'src/ring/a.ts': 'Atomics.load(words, 0)',
      'src/log/a.ts': 'Atomics.store(words, 0, 1)',
      'src/lane/a.ts': '// never Atomics.wait here',
      'test/a.test.ts': 'Atomics.load(words, 0)',
    },
  ],
  [
    'purpose-comment',
    'comments of all forms',
    {
      'src/a.ts': PURPOSE,
      'src/b.ts': '// What this file is for.\nrun();',
      'src/c.ts': '#!/usr/bin/env node\n/**\n * What this file is for.\n */',
      'test/d.test.ts': 'run();',
    },
  ],
  ['file-length', 'a file of 500 lines', { 'src/a.ts': PURPOSE + 'x();\n'.repeat(499) }],
  [
    'unique-types',
    'overloads of one file, and a type that is passed on',
    { 'src/a.ts': 'export interface Load {}\nexport class Load {}', 'src/b.ts': "export type { Load } from './a.js';" },
  ],
  ['no-index-assertion', 'a comparison, and a map', { 'src/a.ts': "if ([1][0] !== 2 && a[0]!==b) map.get('x')!.y();" }],
  [
    'no-barrel',
    'the public entry',
    { 'src/index.ts': "export * from './engine.js';", 'src/a.ts': "export { b } from './b.js';" },
  ],
  ['forbidden-word', 'a word that contains one', { 'src/a.ts': `const ${later}S = 1; // ${later.toLowerCase()}` }],
  [
    'no-only',
    'other words',
    { 'test/a.test.ts': "// it.only(\nconst text = 'it.only('; list.only();", 'src/a.ts': "it.only('')" },
  ],
  [
    'no-silent-skip',
    'skips that say why',
    {
      'test/a.test.ts': "if (!there) console.log('skipped: no browser');\nit.skipIf(!there)('a', () => {});",
      'test/b.test.ts': "it('a', (context) => context.skip('no browser'));",
      'src/a.ts': 'reader.skip();',
    },
  ],
  [
    'top-level',
    'what the repository has',
    { '.ci/run': '', '.gitignore': '', 'README.md': '', 'src/a.ts': PURPOSE, 'bench/a.ts': PURPOSE },
  ],
  [
    'machine-path',
    'relative paths, programs, URLs and globs',
    {
      'README.md':
        'src/work/a, ../shared/data, /usr/bin/env, https://example.org/home/a, /ws/prices, ./tmp/a, **/work/x',
      'package-lock.json': JSON.stringify({ name: machinePath('home') }),
    },
  ],
  [
    'registry-host',
    'a lock file without hosts',
    { 'package-lock.json': '{ "url": "https://example.org/fund" }', '.npmrc': 'omit-lockfile-registry-resolved=true' },
  ],
  [
    'lock-complete',
    'a lock file whose optional packages are there, beside or below',
    { 'package-lock.json': lockFile('node_modules/a/node_modules/b-darwin') },
  ],
  [
    'lock-complete',
    'a lock file whose optional packages are at the top',
    { 'package-lock.json': lockFile('node_modules/b-darwin') },
  ],
  [
    'relative-link',
    'links that lead somewhere',
    {
      'README.md':
        '[a](src/A.md#top) [b](#here) [c](https://x.org) ![d](src/) [e](<src/A.md> "title") `[f](g)`\n```\n[h](i)\n```\n[j](mailto:a@b.c)',
      'src/A.md': '[up](../README.md)',
    },
  ],
];

describe('the rules of the house', () => {
  it.each(BREAKS)('%s: refuse %s', (rule, _what, files, parts) => {
    const problems = broken(rule, files);
    expect(problems).toHaveLength(1);
    for (const part of parts) expect(problems[0]).toContain(part);
  });

  it.each(KEEPS)('%s: allow %s', (rule, _what, files) => {
    expect(broken(rule, files)).toEqual([]);
  });

  it('each have a reason, a file that keeps and a file that breaks them', () => {
    for (const { name, reason } of RULES) {
      expect(reason.length, name).toBeGreaterThan(20);
      expect(
        BREAKS.some(([rule]) => rule === name),
        name,
      ).toBe(true);
      expect(
        KEEPS.some(([rule]) => rule === name),
        name,
      ).toBe(true);
    }
  });

  it('come with their reason in every problem', () => {
    const [problem] = findProblems({ paths: ['docs/a.txt'], read: () => '' });
    expect(problem).toEqual({
      path: 'docs',
      line: 1,
      rule: 'top-level',
      message: expect.any(String),
      reason: expect.stringContaining('newcomer'),
    });
  });
});
