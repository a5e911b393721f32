#!/usr/bin/env node
/** The `ringcast` command: puts the commands together and turns whatever they end with into an exit code. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { configCommand } from './config.js';
import { reportFailure } from './failure.js';
import { pubCommand } from './pub.js';
import { replayCommand } from './replay.js';
import { serveCommand } from './serve.js';
import { subCommand } from './sub.js';
import { topCommand } from './top.js';

// Whoever reads our output has enough (`ringcast sub … | head`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const program = new Command('ringcast')
  .description('WebSocket topic fan-out: run a server, publish, subscribe, watch, replay recordings')
  .version(version)
  .showSuggestionAfterError()
  .exitOverride();

const commands = [serveCommand(), pubCommand(), subCommand(), topCommand(), replayCommand(), configCommand()];
for (const command of commands) program.addCommand(command.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, console.error);
}
