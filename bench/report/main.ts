// Entry of `npm run bench:report`: makes a page out of results files. See bench/README.md.

import { parseArgs } from 'node:util';
import { readResultsFile } from './results-file.js';
import { writeReport } from './write-report.js';

const HELP = `npm run bench:report -- results.json [more.json …] --html report.html

  results files are what bench:fanout, bench:lanes and bench:sizing write with --json

  --html file    the page to write (default: report.html)`;

function run(args: string[]): number {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      html: { type: 'string', default: 'report.html' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help || positionals.length === 0) {
    (values.help ? process.stdout : process.stderr).write(`${HELP}\n`);
    return values.help ? 0 : 2;
  }
  writeReport(values.html, positionals.map(readResultsFile));
  process.stdout.write(`report: ${values.html}\n`);
  return 0;
}

try {
  process.exitCode = run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench:report: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
