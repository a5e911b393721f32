// Entry of `npm run bench`.

import picocolors from 'picocolors';
import { runCommand } from './command.js';

process.exitCode = await runCommand(process.argv.slice(2), {
  colours: picocolors.createColors(process.stdout.isTTY === true && process.stdout.hasColors()),
  print: (text) => void process.stdout.write(`${text}\n`),
  error: (text) => void process.stderr.write(`${text}\n`),
});
