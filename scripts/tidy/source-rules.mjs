/** How single source files must look. */
import { codeOf, lineAt } from './code.mjs';

const FILE_MAX_LINES = 500;
/** settled.ts is all that the threads of a load generator share by them. */
const ATOMICS_PLACES = ['src/ring/', 'src/log/', 'src/counters/', 'src/load/settled.ts'];
/** Written in two halves, so that this file may be searched for them too. */
const FORBIDDEN_WORDS = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'];

const isCode = (path) => /\.(ts|mts|js|mjs)$/.test(path);
const isTest = (path) => path.startsWith('test/') && isCode(path);

/** Problems for each match of a pattern in the code (without comments) of the files that are meant. */
function matches(repository, isMeant, pattern, messageOf) {
  return repository.paths.filter(isMeant).flatMap((path) => {
    const code = codeOf(repository.read(path));
    return code.find(pattern).map((match) => ({
      path,
      line: lineAt(code.text, match.index),
      message: messageOf(match),
    }));
  });
}

export const purposeComment = {
  name: 'purpose-comment',
  reason: 'who opens a file should learn in its first line what it is for',
  check(repository) {
    return repository.paths
      .filter((path) => isCode(path) && /^(src|bench|scripts)\//.test(path))
      .filter((path) => {
        const text = repository
          .read(path)
          .replace(/^#!.*\n/, '')
          .trimStart();
        const comment = /^(?:\/\*[\s\S]*?\*\/|(?:\/\/.*\n?)+)/.exec(text)?.[0] ?? '';
        return comment.replace(/[^\p{L}]/gu, '').length < 10;
      })
      .map((path) => ({ path, line: 1, message: 'does not begin with a comment that says its purpose' }));
  },
};

export const fileLength = {
  name: 'file-length',
  reason: 'a longer file has more than one purpose; split it by them',
  check(repository) {
    return repository.paths.filter(isCode).flatMap((path) => {
      const lines = repository.read(path).replace(/\n$/, '').split('\n').length;
      if (lines <= FILE_MAX_LINES) return [];
      return [{ path, line: FILE_MAX_LINES + 1, message: `has ${lines} lines, at most ${FILE_MAX_LINES} are allowed` }];
    });
  },
};

export const atomicsPlaces = {
  name: 'atomics',
  reason: 'shared memory is only sound where both sides of every protocol are read together',
  check(repository) {
    const isMeant = (path) =>
      isCode(path) && path.startsWith('src/') && !ATOMICS_PLACES.some((place) => path.startsWith(place));
    return matches(repository, isMeant, /\bAtomics\s*[.[]/g, () => `uses Atomics outside ${ATOMICS_PLACES.join(', ')}`);
  },
};

export const uniqueTypes = {
  name: 'unique-types',
  reason: 'who reads a name in one folder must not think of what another folder means by it',
  check(repository) {
    const first = new Map();
    return repository.paths
      .filter((path) => isCode(path) && path.startsWith('src/'))
      .flatMap((path) => {
        const code = codeOf(repository.read(path));
        return code.find(/^(?:export )?(?:abstract )?(?:interface|class|type) (\w+)/gm).flatMap((match) => {
          const name = match[1];
          const known = first.get(name);
          first.set(name, known ?? path);
          if (known === undefined || known === path) return [];
          return [{ path, line: lineAt(code.text, match.index), message: `${name} is the name of a type in ${known}` }];
        });
      });
  },
};

export const noIndexAssertions = {
  name: 'no-index-assertion',
  reason: 'what is read by index counts as there (no noUncheckedIndexedAccess): where it may not be, the type says so',
  check(repository) {
    return matches(repository, isCode, /\]!(?![=])/g, () => 'asserts with ! what the compiler does not doubt');
  },
};

export const noStarExports = {
  name: 'no-barrel',
  reason: 'a file that only passes others on hides where things are; only the public entry does',
  check(repository) {
    const isMeant = (path) => isCode(path) && path.startsWith('src/') && path !== 'src/index.ts';
    return matches(repository, isMeant, /\bexport\s*\*/g, () => 'exports everything of another file (export *)');
  },
};

export const forbiddenWords = {
  name: 'forbidden-word',
  reason: 'what is not done belongs into an issue, where somebody looks for it',
  check(repository) {
    const pattern = new RegExp(`\\b(?:${FORBIDDEN_WORDS.join('|')})\\b`, 'g');
    return repository.paths
      .filter((path) => path !== 'package-lock.json')
      .flatMap((path) => {
        const text = repository.read(path);
        return [...text.matchAll(pattern)].map((match) => ({
          path,
          line: lineAt(text, match.index),
          message: `contains the word ${match[0]}`,
        }));
      });
  },
};

export const noOnly = {
  name: 'no-only',
  reason: 'it silently turns every other test off',
  check(repository) {
    const pattern = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.only\b/g;
    return matches(
      repository,
      (path) => isTest(path),
      pattern,
      (match) => `contains ${match[0]}`,
    );
  },
};

export const noSilentSkip = {
  name: 'no-silent-skip',
  reason: 'a test that does not run looks like one that passes; who reads the output must see why it did not',
  check(repository) {
    const always = matches(
      repository,
      isTest,
      /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:skip|todo)\b/g,
      (match) => `contains ${match[0]}; use skipIf and print a notice, or context.skip('the reason')`,
    );
    const withoutNote = matches(repository, isTest, /\b\w+\.skip\(\s*\)/g, (match) => `${match[0]} gives no reason`);
    const hasNotice = (path) => /\bconsole\.(?:log|info|warn)\([^;]*skip/is.test(codeOf(repository.read(path)).text);
    const conditional = matches(
      repository,
      (path) => isTest(path) && !hasNotice(path),
      /\.(?:skipIf|runIf)\(/g,
      (match) => `${match[0]}…) without a console.log that tells the reason for skipping`,
    );
    return [...always, ...withoutNote, ...conditional];
  },
};
