/** `ringcast load-agent`: generates load for a `ringcast load` on another machine. */
import { Command, Option } from 'commander';
import { Agent } from '../load/agent.js';
import type { AgentAddress } from '../load/remote-team.js';
import { CommandFailure, EXIT_USAGE } from './failure.js';
import { agentSecretOf, parseAddress, secretOptions } from './load-options.js';
import { stopRequest } from './server-options.js';

const LISTEN_DEFAULT = '127.0.0.1:9700';

const NOTES = `
Whoever reaches the port and knows the secret can have this machine connect to any address, as often as it can. So an agent
that listens beyond 127.0.0.1 needs a --secret. The secret does not travel, but nothing is encrypted: tokens, headers and
URLs of a run can be read on the way. Use it in a network of your own, or through an SSH tunnel.`;

interface AgentCommandOptions {
  readonly listen: AgentAddress;
  readonly secret?: string;
  readonly secretFile?: string;
}

export function loadAgentCommand(): Command {
  const command = new Command('load-agent')
    .description('generate load for "ringcast load --agents …" on another machine')
    .addOption(
      new Option('--listen <host:port>', 'where to wait for it; port 0 takes any free one')
        .argParser(parseAddress)
        .default(parseAddress(LISTEN_DEFAULT), LISTEN_DEFAULT),
    )
    .addHelpText('after', NOTES);
  for (const option of secretOptions('what its --secret must be')) command.addOption(option);
  return command.action((options: AgentCommandOptions) => {
    const { listen } = options;
    const secret = agentSecretOf(options);
    if (secret === undefined && !isLoopback(listen.host)) {
      const problem = `--listen ${listen.host} is reachable from other machines, so a --secret is needed`;
      return command.error(`error: ${problem}`, { exitCode: EXIT_USAGE });
    }
    return serve(listen, secret ?? null);
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

async function serve(listen: AgentAddress, secret: string | null): Promise<void> {
  const agent = new Agent({ ...listen, secret, print: (line) => console.log(line) });
  const stopped = stopRequest();
  let port: number;
  try {
    port = await agent.listen();
  } catch (error) {
    throw new CommandFailure(`the agent cannot listen: ${(error as Error).message}`);
  }
  console.log(`ringcast load-agent waits at ${listen.host}:${port}`);
  await stopped;
  agent.close();
  process.exit(0); // runs that are under way end with it
}
