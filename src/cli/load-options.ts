/** The options of `ringcast load`, and the job that they make. */
import { randomInt } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs, parseSizeBytes } from '../config/units.js';
import { PROTOCOLS, type Protocol, payloadMinBytes } from '../load/dialects.js';
import { type LoadJob, publishersPerSource } from '../load/job.js';
import { type JsonTemplates, templateProblem } from '../load/json-templates.js';
import type { AgentAddress } from '../load/remote-team.js';
import { CHOICES, type Choice, parseTopics } from '../load/topics.js';
import { parseSecretFile, secretOf } from './secrets.js';
import { parseCount, SERVER_URL_DEFAULT, tokenFileOption, tokenOf } from './server-options.js';

const DAY_MS = 24 * 3_600_000;
/** A message and what is around it has to fit into the receive buffer of a connection. */
const PAYLOAD_MAX_BYTES = 1_500_000;
const RATE_MAX = 10_000_000;
const BURST_MAX = 10_000;
const PROCESSES_MAX = 256;
const CONNECTIONS_MAX = 10_000_000;

export interface LoadOptions {
  readonly url: string;
  readonly protocol: Protocol;
  readonly connections: number;
  readonly topics: string;
  /** Infinity: all. */
  readonly topicsPerConnection: number;
  readonly choice: Choice;
  readonly seed: number;
  readonly rate: number;
  readonly burst: number;
  readonly size: number;
  readonly publishers?: number;
  readonly duration: number;
  readonly warmup: number;
  readonly ramp: number;
  readonly processes: number;
  readonly agents?: readonly AgentAddress[];
  readonly secret?: string;
  readonly secretFile?: string;
  readonly connectTemplate?: string;
  readonly subscribeTemplate?: string;
  readonly publishTemplate?: string;
  readonly pingTemplate?: string;
  readonly pongTemplate?: string;
  readonly subprotocol?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly header?: readonly string[];
  readonly insecure?: true;
  readonly allowFewer?: true;
  readonly json?: string;
}

const TARGET = 'Target:';
const LOAD = 'Load:';
const GENERATORS = 'Load generators:';
const TEMPLATES = 'Servers of another kind (--protocol json):';

export function addLoadOptions(command: Command): Command {
  const add = (
    group: string,
    flags: string,
    text: string,
    parse: (text: string) => unknown,
    standard?: unknown,
    shown?: string,
  ): void => {
    const option = new Option(flags, text).argParser(parse).helpGroup(group);
    command.addOption(standard === undefined ? option : option.default(standard, shown));
  };
  const asIs = (text: string): string => text;
  add(TARGET, '--url <url>', 'address of the server, ws:// or wss://', parseUrl, SERVER_URL_DEFAULT);
  const protocol = new Option('--protocol <name>', 'ringcast is MessagePack; json takes the templates below');
  command.addOption(protocol.choices(PROTOCOLS).default('ringcast').helpGroup(TARGET));
  add(TARGET, '--token <token>', 'token to show to a ringcast server; better by --token-file or RINGCAST_TOKEN', asIs);
  command.addOption(tokenFileOption().helpGroup(TARGET));
  command.addOption(
    new Option('--header <header>', 'header of the upgrade, such as "Authorization: Bearer x"; may be repeated')
      .argParser((text: string, before: string[] = []) => [...before, parseHeader(text)])
      .helpGroup(TARGET),
  );
  command.addOption(new Option('--insecure', 'take any TLS certificate, such as a self-signed one').helpGroup(TARGET));

  add(LOAD, '--connections <n>', 'subscribing connections', count(1, CONNECTIONS_MAX), 100);
  add(
    LOAD,
    '--topics <topics>',
    'how many (100: load:1 … load:100), or names: "a,b" or "px:{1..500}"',
    parseTopicSpec,
    '1',
  );
  add(LOAD, '--topics-per-connection <n>', 'topics that each connection subscribes to, or all', parseAllOrCount, 1);
  const choice = new Option('--choice <how>', 'which topics a connection takes: in turn, or at random');
  command.addOption(choice.choices(CHOICES).default('turn').helpGroup(LOAD));
  add(LOAD, '--seed <n>', 'of the random choice', count(0, 0xffff_ffff), 1);
  add(
    LOAD,
    '--rate <msg/s>',
    'messages published per second, over all topics; 0 only counts what comes',
    parseRate,
    100,
  );
  add(LOAD, '--burst <n>', 'messages that leave at once; the rate stays', count(1, BURST_MAX), 1);
  add(LOAD, '--size <bytes>', 'payload of a message, such as 200 or 4KiB', parseSize, 128);
  add(LOAD, '--publishers <n>', 'publishing connections (default: one per machine)', count(1, 10_000));
  add(LOAD, '--duration <time>', 'measured time, such as 30s or 5m', parseTime(1), 30_000, '30s');
  add(LOAD, '--warmup <time>', 'time before it, which is verified but not measured', parseTime(0), 3_000, '3s');
  add(LOAD, '--ramp <n/s>', 'new connections per second; 0: as fast as it goes', parseRate, 0);

  add(GENERATORS, '--processes <n>', 'processes on each machine; one reads with one core', count(1, PROCESSES_MAX), 1);
  add(GENERATORS, '--agents <list>', 'machines that run "ringcast load-agent": host:port,…', parseAgents);
  for (const option of secretOptions('what the agents were started with'))
    command.addOption(option.helpGroup(GENERATORS));
  command.addOption(
    new Option('--allow-fewer', 'go on with the connections that could be opened').helpGroup(GENERATORS),
  );
  add(GENERATORS, '--json <file>', 'write everything into a file, too; - is the standard output', asIs);

  const placeholders = '{{topic}}, {{id}}';
  add(TEMPLATES, '--subscribe-template <json>', `message that subscribes; ${placeholders} are filled in`, asIs);
  add(
    TEMPLATES,
    '--publish-template <json>',
    'message that publishes; also {{payload}}, an object, or {{token}}, a text',
    asIs,
  );
  add(TEMPLATES, '--connect-template <json>', 'message that every connection sends first, if any', asIs);
  add(TEMPLATES, '--ping-template <json>', 'message by which the server asks whether a client is there, if any', asIs);
  add(TEMPLATES, '--pong-template <json>', 'message that answers it', asIs);
  add(TEMPLATES, '--subprotocol <name>', 'WebSocket subprotocol to ask for, if any', asIs);
  return command;
}

/** The job, or what is wrong with the options taken together. */
export function jobOf(options: LoadOptions): LoadJob | { problem: string } {
  const problem = problemOf(options);
  if (problem !== null) return { problem };
  const { protocol, topics, choice, seed, rate, burst, subprotocol } = options;
  const token = tokenOf(options);
  const isJson = protocol === 'json';
  return {
    ...{ url: urlOf(options), protocol, subprotocol, token, topics, choice, seed, rate, burst },
    ...(isJson ? { templates: templatesOf(options) as JsonTemplates } : {}),
    headers: options.header ?? [],
    insecure: options.insecure === true,
    connections: options.connections,
    topicsPerConnection: Math.min(options.topicsPerConnection, topicCount(options)),
    payloadBytes: options.size,
    publishers: options.publishers ?? machinesOf(options),
    rampPerSecond: options.ramp,
    warmupMs: options.warmup,
    durationMs: options.duration,
    allowFewer: options.allowFewer === true,
    run: randomInt(2 ** 32),
  };
}

/** `--secret` and what stands in for it: see agentSecretOf. */
export function secretOptions(text: string): Option[] {
  return [
    new Option('--secret <text>', `${text}; better by --secret-file or RINGCAST_SECRET`),
    new Option('--secret-file <path>', 'file whose first line is the secret')
      .argParser(parseSecretFile)
      .conflicts('secret'),
  ];
}

/** What coordinator and agents share. */
export function agentSecretOf({ secret, secretFile }: Pick<LoadOptions, 'secret' | 'secretFile'>): string | undefined {
  return secretOf(secret, secretFile, 'RINGCAST_SECRET') ?? secretOf(undefined, undefined, 'LOAD_SECRET');
}

export function machinesOf(options: LoadOptions): number {
  return options.agents?.length ?? 1;
}

function topicCount(options: LoadOptions): number {
  return (parseTopics(options.topics) as readonly string[]).length;
}

/** A ringcast server listens at /ws; another one wherever the URL says. */
function urlOf({ url, protocol }: LoadOptions): string {
  const parsed = new URL(url);
  if (protocol !== 'json' && parsed.pathname === '/') parsed.pathname = '/ws';
  return parsed.href;
}

/** Those that were given. */
function templatesOf(options: LoadOptions): Partial<JsonTemplates> {
  const { connectTemplate: connect, subscribeTemplate: subscribe, publishTemplate: publish } = options;
  const { pingTemplate: ping, pongTemplate: pong } = options;
  return { connect, subscribe, publish, ping, pong };
}

function problemOf(options: LoadOptions): string | null {
  const { protocol, connections, processes, rate, size, topicsPerConnection } = options;
  const topics = topicCount(options);
  const machines = machinesOf(options);
  const publishers = options.publishers ?? machines;
  if (Number.isFinite(topicsPerConnection) && topicsPerConnection > topics) {
    return `--topics-per-connection ${topicsPerConnection} is more than there are topics (${topics}); see --topics`;
  }
  if (connections < machines * processes) {
    return `--connections ${connections} is less than one for each process (${machines * processes})`;
  }
  if (rate > 0 && size < payloadMinBytes(protocol)) {
    return `--size ${size} is too little: verification needs ${payloadMinBytes(protocol)} bytes with --protocol ${protocol}`;
  }
  if (rate > 0 && publishersPerSource({ rate, publishers } as LoadJob, machines) > topics) {
    return `--publishers ${publishers} is too many for ${topics} topics: a topic has one publisher on each machine, so that its order can be checked`;
  }
  return templatesProblem(options);
}

function templatesProblem(options: LoadOptions): string | null {
  const { protocol, rate, subprotocol } = options;
  const given = templatesOf(options);
  if (protocol !== 'json') {
    const stray = Object.entries({ ...given, subprotocol }).find(([, value]) => value !== undefined)?.[0];
    if (stray === undefined) return null;
    return `--${stray}${stray === 'subprotocol' ? '' : '-template'} goes with --protocol json only`;
  }
  if (given.subscribe === undefined) {
    return `--protocol json needs a --subscribe-template, such as '{"op":"sub","ch":"{{topic}}"}'`;
  }
  if (rate > 0 && given.publish === undefined) {
    return `--protocol json needs a --publish-template, such as '{"op":"pub","ch":"{{topic}}","data":{{payload}}}', or --rate 0`;
  }
  if ((given.ping === undefined) !== (given.pong === undefined)) {
    return '--ping-template and --pong-template go together';
  }
  for (const [kind, template] of Object.entries(given)) {
    if (template === undefined) continue;
    const problem = templateProblem(kind as keyof typeof given, template);
    if (problem !== null) return `--${kind}-template: ${problem}`;
  }
  return null;
}

function count(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = parseCount(min)(text);
    if (value > max) throw new InvalidArgumentError(`It must be at most ${max}.`);
    return value;
  };
}

function parseAllOrCount(text: string): number {
  return text === 'all' ? Number.POSITIVE_INFINITY : parseCount(1)(text);
}

function parseRate(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value > RATE_MAX) {
    throw new InvalidArgumentError(`It must be a number from 0 to ${RATE_MAX}.`);
  }
  return value;
}

function parseSize(text: string): number {
  const bytes = parseSizeBytes(text);
  if (bytes === null || !Number.isSafeInteger(bytes) || bytes < 1 || bytes > PAYLOAD_MAX_BYTES) {
    throw new InvalidArgumentError(`It must be a size such as 200 or 4KiB, at most ${PAYLOAD_MAX_BYTES} bytes.`);
  }
  return bytes;
}

/** A bare number is seconds. */
function parseTime(minMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDurationMs(/^[\d.]+$/.test(text) ? `${text}s` : text);
    if (ms === null || ms < minMs || ms > DAY_MS) {
      throw new InvalidArgumentError('It must be a time such as 30s or 5m, at most 24h.');
    }
    return ms;
  };
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^wss?:$/.test(url.protocol)) {
    throw new InvalidArgumentError(`It must look like ${SERVER_URL_DEFAULT}.`);
  }
  return url.href;
}

function parseTopicSpec(text: string): string {
  const topics = parseTopics(text);
  if ('problem' in topics) throw new InvalidArgumentError(`${topics.problem}.`);
  return text;
}

function parseHeader(text: string): string {
  // A line break would be a second header.
  if (!/^[\w!#$%&'*+.^`|~-]+:[^\r\n]*$/.test(text)) throw new InvalidArgumentError('It must look like "Name: value".');
  return text;
}

export function parseAddress(text: string): AgentAddress {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new InvalidArgumentError(`${text} does not look like host:port.`);
  return { host: match[1] ?? match[2], port };
}

function parseAgents(text: string): AgentAddress[] {
  return text.split(',').map(parseAddress);
}
