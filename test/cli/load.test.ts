// `ringcast load` as an operator calls it: what it prints, how it ends, and what it says when something is wrong.
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultyServer, TEMPLATES } from '../load/faulty-server.js';
import { hasOpenssl, makeCertificate } from '../support/certificate.js';
import { startEngine } from '../support/engines.js';
import { lines, MAIN, RunningCli, runCli } from './run-cli.js';

const hasScript = `${spawnSync('script', ['--version']).stdout}`.includes('util-linux');
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function startFaulty(options = {}): Promise<FaultyServer> {
  const server = await FaultyServer.start(options);
  ends.push(() => server.close());
  return server;
}

const BRIEF = ['--connections', '5', '--rate', '100', '--duration', '300ms', '--warmup', '0'];
const BY_TEMPLATES = [
  '--protocol',
  'json',
  '--subscribe-template',
  TEMPLATES.subscribe,
  '--publish-template',
  TEMPLATES.publish,
];

describe('ringcast load', () => {
  it('whose output nobody reads to its end does not end as if everything had been verified', async () => {
    const { url } = await startEngine({ lanes: 0 });
    const cli = new RunningCli(['load', '--url', url, ...BRIEF]);
    await cli.until(({ stdout }) => lines(stdout).length >= 1); // as `head -n 1` does
    cli.process.stdout.destroy();
    expect(await cli.ended).toMatchObject({
      code: 1,
      signal: null,
      stderr: 'ringcast: nobody reads the output any more; it ends, and what it was to show is not shown\n',
    });
  });

  it('says first whether everything arrived, then the figures, and writes them as JSON', async () => {
    const { url } = await startEngine();
    const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-load-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'load.json');
    const args = ['load', '--url', url, ...BRIEF, '--topics', 'px:{1..5}', '--token', 's3cret', '--json', file];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    const printed = lines(stdout);
    expect(printed[0]).toBe(`${url}, protocol ringcast, 1 process`);
    expect(printed[1]).toBe('5 connections, 1 topic each of 5');
    expect(printed[2]).toBe('100 msg/s of 128 bytes by 1 publisher, 300 ms');
    expect(printed[3]).toBe('verified    all 30 deliveries arrived, once each, in order, undamaged');
    expect(printed.slice(4).map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['published', 'delivered', 'latency', 'generator']),
    );
    const text = readFileSync(file, 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      ...{ partial: [], published: 30, connections: 5, timed: 30 },
      options: { topics: 'px:{1..5}', rate: 100, connections: 5, machines: 1, processes: 1 },
      verification: { complete: true, expected: 30, delivered: 30, lost: 0 },
      latency: { count: 30, p99Micros: expect.any(Number), hdr: expect.any(String) },
      generator: [{ name: 'machine 1, process 1' }],
    });
    expect(text).not.toContain('s3cret');
  });

  it('ends with 1 when something is missing, and says how much', async () => {
    const server = await startFaulty({ fate: (seq: number) => (seq === 5 ? 'lose' : 'deliver') });
    const { code, stdout } = await runCli(['load', '--url', server.url, ...BY_TEMPLATES, ...BRIEF, '--size', '200']);
    expect(code).toBe(1);
    expect(stdout).toContain(
      'verified    WRONG: 5 lost, 145 of 150 deliveries. The figures are those of an incomplete run',
    );
  });

  it('ends early at Ctrl-C, with what there is, marked as partial', async () => {
    const server = await startFaulty({
      onPublish: (seq: number) => {
        if (seq === 20) cli.kill('SIGINT');
      },
    });
    const args = ['load', '--url', server.url, ...BY_TEMPLATES, ...BRIEF, '--duration', '10m', '--json', '-'];
    const cli = new RunningCli(args);
    const { code, stdout, stderr } = await cli.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^PARTIAL {5}these are not the results of the whole run: it was interrupted$/m);
    const { partial, verification, published } = JSON.parse(stdout);
    expect(partial).toEqual(['it was interrupted']);
    expect(published).toBeGreaterThanOrEqual(20);
    expect(verification).toMatchObject({ complete: true, expected: published * 5 });
  });

  it('ends at Ctrl-C before anything was published', async () => {
    const port = await listening(createServer(() => cli.kill('SIGINT')));
    const cli = new RunningCli(['load', '--url', `ws://127.0.0.1:${port}`, ...BRIEF]);
    const { code, stderr } = await cli.ended;
    expect(code).toBe(1);
    expect(lines(stderr).at(-1)).toBe('ringcast: ended before anything was published');
  });

  it.skipIf(!hasScript)('shows its progress on a terminal', async () => {
    const { url } = await startEngine();
    const args = ['load', '--url', url, ...BRIEF, '--duration', '1500ms'];
    const command = [process.execPath, MAIN, ...args].join(' ');
    const { stdout } = await promisify(execFile)('script', ['--quiet', '--return', '--command', command, '/dev/null']);
    expect(stdout).toMatch(/running \S+ \d+ % \| [\d,]+ deliveries\/s \| p99 [\d.]+ (µs|ms)/);
    expect(stdout).toContain('all 750 deliveries arrived');
  });
  if (!hasScript) console.log('skipped: progress on a terminal; needs script of util-linux (Debian package bsdutils)');

  it.skipIf(!hasOpenssl)('takes a self-signed certificate with --insecure only', async () => {
    const { certFile, keyFile } = makeCertificate();
    const { url } = await startEngine({ tls: { certFile, keyFile } });
    const strict = await runCli(['load', '--url', url, ...BRIEF]);
    expect(strict.stderr).toMatch(/certificate .* is not trusted \(.*SELF_SIGNED.*\); --insecure takes it/);
    const { code, stdout } = await runCli(['load', '--url', url, ...BRIEF, '--insecure']);
    expect(stdout).toContain('verified    all 150 deliveries');
    expect(code).toBe(0);
  });
  if (!hasOpenssl) console.log('skipped: load over TLS; needs openssl (Debian package openssl)');
});

describe('too few open files', () => {
  const isLinux = process.platform === 'linux';
  if (!isLinux) console.log('skipped: too few open files; the limit is known on Linux only');
  const limited = (url: string, ...args: string[]) => {
    const command = `ulimit -n 100; exec "$0" "$@"`;
    const given = ['load', '--url', url, ...BRIEF, '--connections', '80', ...args];
    return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      setImmediate(() => {
        const { status, stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, MAIN, ...given], {
          encoding: 'utf8',
        });
        resolve({ code: status, stdout, stderr });
      });
    });
  };

  it.skipIf(!isLinux)('are counted, and how to get more is said', async () => {
    const server = await startServerElsewhere();
    const { code, stderr } = await limited(server);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /80 connections in one process need 145 open files, the limit is 100\. Raise it \("ulimit -n 145"/,
    );
  });

  it.skipIf(!isLinux)('are made do with by --allow-fewer', async () => {
    const server = await startServerElsewhere();
    const { code, stdout, stderr } = await limited(server, '--allow-fewer');
    expect(stderr).toMatch(/it goes on with 35 connections/);
    expect(stdout).toMatch(/^connections 35 instead of 80, with 35 subscriptions$/m);
    expect(stdout).toMatch(/^verified {4}all 1,050 deliveries/m);
    expect(code).toBe(0);
  });

  /** In a process of its own: this one waits for the limited one. */
  async function startServerElsewhere(): Promise<string> {
    const cli = new RunningCli(['serve', '--port', '0', '--lanes', '0']);
    ends.push(() => cli.kill('SIGKILL'));
    await cli.until(({ stdout }) => stdout.includes('listens on'));
    return /ws:\S+/.exec(cli.stdout)![0];
  }
});
