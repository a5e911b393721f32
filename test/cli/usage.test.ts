// Wrong calls end with 2, operating errors with 1 and one line that says what to do.
import { describe, expect, it } from 'vitest';
import { lines, runCli } from './run-cli.js';

/** Nothing listens on port 1 of a test machine. */
const NOBODY = 'ws://127.0.0.1:1/ws';

describe('wrong usage ends with 2 and says what is wrong', () => {
  it.each<[string[], RegExp]>([
    [[], /Usage: ringcast/],
    [['subb'], /unknown command 'subb'.*\n.*Did you mean sub\?/],
    [['pub', 'topic'], /missing required argument 'json'/],
    [['pub', 'topic', '1', '2'], /too many arguments/],
    [['pub', 'topic', '1', '--url', 'http://127.0.0.1/'], /must look like ws:\/\/127\.0\.0\.1:8787\/ws/],
    [['sub'], /missing required argument 'topic'/],
    [['sub', 't', '--json', '--raw'], /cannot be used with/],
    [['sub', 't', '--count', '0'], /whole number, at least 1/],
    [['sub', 't', '--last', '-1'], /whole number, at least 0/],
    [['sub', 't', '--lats', '1'], /unknown option '--lats'.*\n.*Did you mean --last\?/],
    [['top', 'prices'], /too many arguments/],
    [['top', '--sort', 'heat'], /Allowed choices are deliveries, messages/],
    [['replay'], /missing required argument 'file'/],
    [['replay', 'f', '--speed', 'fast'], /number above 0, such as 1 or 10, or max/],
    [['replay', 'f', '--speed', '0'], /number above 0/],
    [['serve', '--prot', '1'], /unknown option '--prot'/],
    [['config', '--nope'], /unknown option '--nope'/],
    [['pub', 't', '1', '--token-file', '/no/such/file'], /--token-file .*cannot be read \(ENOENT\)/],
    [['sub', 't', '--token', 'x', '--token-file', import.meta.filename], /cannot be used with option '--token /],
    [['load-agent', '--secret', 'x', '--secret-file', import.meta.filename], /cannot be used with option '--secret /],
  ])('ringcast %j', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('operating errors end with 1 and one line that says what to do', () => {
  it.each<[string[], RegExp]>([
    [['pub', 'topic', '{price: 1}'], /the message is not JSON: .*own quotes/],
    [['pub', 'topic', '1', '--url', NOBODY], /ECONNREFUSED.*Start a server with "ringcast serve".*--url/],
    [['sub', 'topic', '--url', NOBODY], /cannot connect to ws:\/\/127\.0\.0\.1:1\/ws/],
    [['top', '--url', NOBODY], /cannot connect to ws:\/\/127\.0\.0\.1:1\/ws.*Start a server/],
    [['replay', '/no/such/file'], /cannot read the recording: ENOENT/],
    [['replay', '.'], /cannot read the recording: EISDIR/],
    [['replay', import.meta.filename, '--url', NOBODY], /cannot connect/],
    [['serve', '--config', '/no/such/file'], /\/no\/such\/file.*cannot be read \(ENOENT\)/],
    [['serve', '--port', 'http'], /port \(flag --port\): must be a whole number/],
    [
      ['serve', '--host', 'no-such-name.invalid', '--max-connections', '1'],
      /no-such-name\.invalid:8787: the name leads to no address \(E/,
    ],
    [
      ['serve', '--host', '192.0.2.1', '--max-connections', '1'],
      /192\.0\.2\.1:8787: the address is none of this machine/,
    ],
  ])('ringcast %j', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines(stderr)).toHaveLength(1);
    expect(stderr).toMatch(message);
  });
});

it('two errors of the configuration are two lines of a list', async () => {
  const { code, stderr } = await runCli(['serve', '--port', 'http', '--lanes', 'many']);
  expect(code).toBe(1);
  expect(lines(stderr)).toEqual([
    'ringcast: invalid configuration, 2 problems:',
    expect.stringMatching(/^ {2}- port \(flag --port\): must be/),
    expect.stringMatching(/^ {2}- lanes \(flag --lanes\): must be/),
  ]);
});

describe('help', () => {
  it.each(['serve', 'pub', 'sub', 'top', 'replay', 'config', 'load', 'load-agent'])(
    'ringcast %s --help ends with 0',
    async (command) => {
      const { code, stdout } = await runCli([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: ringcast ${command}`);
    },
  );

  it('prints the version', async () => {
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});
