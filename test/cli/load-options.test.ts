// The options of `ringcast load`: what they make, and what is said of those that make no sense.
import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { addLoadOptions, jobOf } from '#src/cli/load-options.js';
import { TEMPLATES } from '../load/faulty-server.js';
import { runCli } from './run-cli.js';

const BY_TEMPLATES = [
  '--protocol',
  'json',
  '--subscribe-template',
  TEMPLATES.subscribe,
  '--publish-template',
  TEMPLATES.publish,
];

function parse(args: readonly string[]) {
  const command = addLoadOptions(new Command('load').exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse(args, { from: 'user' });
  return jobOf(command.opts());
}

function problemWith(args: readonly string[]): string {
  try {
    const job = parse(args);
    return 'problem' in job ? job.problem : 'nothing';
  } catch (error) {
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
}

describe('options', () => {
  it('have defaults that make a job', () => {
    expect(parse([])).toMatchObject({
      ...{ url: 'ws://127.0.0.1:8787/ws', protocol: 'ringcast', connections: 100, topics: '1', publishers: 1 },
      ...{ rate: 100, burst: 1, payloadBytes: 128, durationMs: 30_000, warmupMs: 3000, allowFewer: false },
    });
  });

  it('have units', () => {
    const args = ['--duration', '2m', '--warmup', '5', '--size', '4KiB', '--rate', '0.5', '--ramp', '200'];
    const expected = { durationMs: 120_000, warmupMs: 5000, payloadBytes: 4096, rate: 0.5, rampPerSecond: 200 };
    expect(parse(args)).toMatchObject(expected);
  });

  it('have a publisher on each machine, unless told otherwise', () => {
    expect(parse(['--agents', 'a:1,[::1]:2,c:3'])).toMatchObject({ publishers: 3 });
    expect(parse(['--agents', 'a:1,b:2', '--publishers', '1'])).toMatchObject({ publishers: 1 });
  });

  it('take /ws for a ringcast server, and the path that is given for others', () => {
    expect(parse(['--url', 'wss://example.com'])).toMatchObject({ url: 'wss://example.com/ws' });
    expect(parse(['--url', 'ws://example.com', ...BY_TEMPLATES])).toMatchObject({ url: 'ws://example.com/' });
  });

  it('take all topics', () => {
    expect(parse(['--topics', 'a,b,c', '--topics-per-connection', 'all'])).toMatchObject({ topicsPerConnection: 3 });
  });
});

describe('options that make no sense', () => {
  it.each<[string[], RegExp]>([
    [['--connections', '0'], /whole number, at least 1/],
    [['--rate', '-1'], /number from 0 to/],
    [['--duration', 'long'], /time such as 30s or 5m/],
    [['--size', '2GiB'], /at most 1500000 bytes/],
    [['--size', '10'], /--size 10 is too little: verification needs 24 bytes with --protocol ringcast/],
    [['--topics', 'a,a'], /a topic is named twice/],
    [
      ['--topics', '3', '--topics-per-connection', '4'],
      /--topics-per-connection 4 is more than there are topics \(3\)/,
    ],
    [['--connections', '3', '--processes', '4'], /less than one for each process \(4\)/],
    [['--publishers', '2'], /--publishers 2 is too many for 1 topics/],
    [['--url', 'http://x/'], /must look like ws:/],
    [['--header', 'no colon'], /must look like "Name: value"/],
    [['--agents', 'a'], /a does not look like host:port/],
    [['--protocol', 'json'], /needs a --subscribe-template/],
    [['--protocol', 'json', '--subscribe-template', TEMPLATES.subscribe], /needs a --publish-template.*--rate 0/],
    [['--publish-template', '{{payload}}'], /--publish-template goes with --protocol json only/],
    [['--ping-template', '{}'], /--ping-template goes with --protocol json only/],
    [[...BY_TEMPLATES, '--pong-template', '{}'], /--ping-template and --pong-template go together/],
    [[...BY_TEMPLATES, '--ping-template', '{}', '--pong-template', '}'], /--pong-template: filled in, it is not JSON/],
    [[...BY_TEMPLATES, '--publish-template', '{"ch":"{{topic}}"}'], /--publish-template: it needs \{\{payload\}\}/],
  ])('load %j', (args, message) => {
    expect(problemWith(args)).toMatch(message);
  });
});

describe('wrong usage', () => {
  it.each<[string[], RegExp]>([
    [['--publishers', '2'], /^error: --publishers 2 is too many/],
    [['--conections', '1'], /unknown option.*\n.*Did you mean --connections/],
  ])('load %j ends with 2', async (args, message) => {
    const { code, stdout, stderr } = await runCli(['load', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
