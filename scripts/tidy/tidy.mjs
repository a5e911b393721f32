/** `npm run tidy`: checks the rules of the house over all files that git knows or would take; exit code 1 if any is broken. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findProblems, RULES } from './rules.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const isBinary = (text) => text.includes('\0');

function openRepository() {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // A file may be deleted but not yet committed as such.
  const paths = [...new Set(listed.split('\0'))].filter((path) => path !== '' && existsSync(root + path));
  const texts = new Map();
  const read = (path) => {
    if (!texts.has(path)) texts.set(path, readFileSync(root + path, 'utf8'));
    const text = texts.get(path);
    return isBinary(text) ? '' : text;
  };
  return { paths: paths.sort(), read };
}

const repository = openRepository();
const problems = findProblems(repository);
for (const { path, line, rule, message, reason } of problems) {
  console.error(`${path}:${line} ${message}\n    ${rule}: ${reason}`);
}
console.log(`tidy: ${repository.paths.length} files, ${RULES.length} rules, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
