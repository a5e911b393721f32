// Load from several machines: here, several agents on 127.0.0.1, each with a clock that counts as its own.
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Agent } from '#src/load/agent.js';
import { FaultyServer, TEMPLATES } from '../load/faulty-server.js';
import { startEngine } from '../support/engines.js';
import { lines, RunningCli, runCli } from './run-cli.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function startAgent(...args: string[]): Promise<{ cli: RunningCli; address: string }> {
  const cli = new RunningCli(['load-agent', '--listen', '127.0.0.1:0', ...args]);
  ends.push(() => cli.kill('SIGKILL'));
  await cli.until(({ stdout }) => stdout.includes('waits at'));
  return { cli, address: /waits at (\S+)/.exec(cli.stdout)![1] };
}

function loadArgs(url: string, agents: readonly string[]): string[] {
  const size = ['--connections', '9', '--rate', '200', '--duration', '500ms', '--warmup', '200ms'];
  return ['load', '--url', url, '--agents', agents.join(), ...size, '--topics', '3', '--json', '-'];
}

describe('agents', () => {
  it('share a run: all is verified, and what they publish themselves is timed', async () => {
    const { url } = await startEngine();
    const agents = [await startAgent(), await startAgent()];
    const addresses = agents.map(({ address }) => address);
    const { code, stdout, stderr } = await runCli([...loadArgs(url, addresses), '--processes', '2']);
    expect(stderr).toMatch(/of the \d+ % of deliveries whose publisher is on the same machine: clocks differ/);
    const { verification, published, timed, generator, connections } = JSON.parse(stdout);
    expect(connections).toBe(9);
    expect(published).toBe(140);
    // 9 connections over 3 topics: 3 get each message.
    expect(verification).toMatchObject({ complete: true, expected: 420, delivered: 420 });
    expect(timed).toBeGreaterThan(0);
    expect(timed).toBeLessThan(300);
    expect(generator.map(({ name }: { name: string }) => name)).toEqual([
      'machine 1, process 1',
      'machine 1, process 2',
      'machine 2, process 1',
      'machine 2, process 2',
    ]);
    expect(code).toBe(0);
  });

  it('can be used again, by whoever knows the secret', async () => {
    const { url } = await startEngine();
    const { address } = await startAgent('--secret', 'open sesame');
    const wrong = await runCli([...loadArgs(url, [address]), '--secret', 'open barley']);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(lines(wrong.stderr).at(-1)).toBe(`ringcast: agent ${address}: the secret is wrong`);
    const file = path.join(tmpdir(), `ringcast-secret-${process.pid}`);
    writeFileSync(file, 'open sesame\n');
    ends.push(() => rmSync(file));
    const ways: [string[], Record<string, string>][] = [
      [[], { RINGCAST_SECRET: 'open sesame' }],
      [['--secret-file', file], {}],
    ];
    for (const [args, env] of ways) {
      const { code } = await runCli([...loadArgs(url, [address]), ...args], env);
      expect(code).toBe(0);
    }
  });

  it('that dies in the middle leaves the results of the others, marked as partial', async () => {
    const [stays, dies] = [await startAgent(), await startAgent()];
    const server = await FaultyServer.start({
      onPublish: () => {
        if (server.published === 60) dies.cli.kill('SIGKILL');
      },
    });
    ends.push(() => server.close());
    const templates = ['--subscribe-template', TEMPLATES.subscribe, '--publish-template', TEMPLATES.publish];
    const args = [...loadArgs(server.url, [stays.address, dies.address]), '--protocol', 'json', ...templates];
    const { code, stdout, stderr } = await runCli(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^PARTIAL .*agent \S+: it closed the connection$/m);
    const { partial, verification, generator } = JSON.parse(stdout);
    expect(partial).toEqual([`agent ${dies.address}: it closed the connection`]);
    expect(generator).toHaveLength(1);
    expect(verification).toMatchObject({ complete: true, lost: 0 });
    expect(verification.delivered).toBeGreaterThan(60);
  });

  it('that are not there, or no agents, are named', async () => {
    const { address } = await startAgent();
    const nobody = await runCli(loadArgs('ws://127.0.0.1:1', [address, '127.0.0.1:1']));
    expect(nobody.code).toBe(1);
    expect(lines(nobody.stderr).at(-1)).toMatch(
      /^ringcast: agent 127\.0\.0\.1:1: connect ECONNREFUSED .*Start one there with "ringcast load-agent --listen"$/,
    );
    const other = createServer((socket) => socket.on('error', () => {}).write('220 mail\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    ends.push(() => other.close());
    const { port } = other.address() as AddressInfo;
    const { stderr } = await runCli(loadArgs('ws://127.0.0.1:1', [`127.0.0.1:${port}`]));
    expect(lines(stderr).at(-1)).toBe(`ringcast: agent 127.0.0.1:${port}: it is no ringcast load-agent`);
  });

  it('refuse what is not their protocol, and a second run at the same time', async () => {
    const { address, cli } = await startAgent();
    const port = Number(address.split(':')[1]);
    const say = async (text: string): Promise<string> => {
      const socket = connect(port, '127.0.0.1').setEncoding('utf8');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.write(text);
      await once(socket, 'close');
      return answer;
    };
    expect(await say('GET / HTTP/1.1\n')).toContain('something that is not JSON');
    expect(await say('{"ringcastLoad":2}\n')).toContain('it speaks another version than 1');
    const first = connect(port, '127.0.0.1');
    ends.push(() => first.destroy());
    first.write('{"ringcastLoad":1}\n');
    await cli.until(({ stdout }) => stdout.includes('a run begins'));
    expect(await say('{"ringcastLoad":1}\n')).toContain('busy with another run');
  });
});

describe('whoever does not know the secret', () => {
  it('is refused after 4 KiB without a line, and keeps neither memory nor the connection', async () => {
    const { cli, address } = await startAgent('--secret', 'x');
    const socket = connect({ port: Number(address.split(':')[1]), host: '127.0.0.1', allowHalfOpen: true });
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => {}); // the close follows
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('a'.repeat(4097));
    await cli.until(({ stdout }) => stdout.includes('refused'));
    const before = residentBytes(cli.process.pid!);
    // What it still sends is thrown away, until it is closed: it never ends by itself, and is only told when it sends.
    const flood = Buffer.alloc(1 << 20, 97);
    while (!socket.destroyed) {
      if (!socket.write(flood)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    }
    await closed;
    expect(answer).toMatch(/"failed".*not JSON, or too much of it/);
    expect(residentBytes(cli.process.pid!) - before).toBeLessThan(50 * 1024 * 1024);
  });

  it('has so long for its first line, however it spends the time', async () => {
    const told: string[] = [];
    const agent = new Agent({
      host: '127.0.0.1',
      port: 0,
      secret: 'x',
      helloMaxMs: 50,
      print: (line) => told.push(line),
    });
    ends.push(() => agent.close());
    const socket = connect(await agent.listen(), '127.0.0.1').on('error', () => {});
    const drip = setInterval(() => socket.write(' '), 5);
    socket.resume();
    await once(socket, 'close');
    clearInterval(drip);
    expect(told).toEqual([expect.stringContaining('it did not introduce itself in time')]);
  });
});

/** Of a process; 0 where the system does not say. */
function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
  } catch {
    return 0;
  }
}

describe('ringcast load-agent', () => {
  it.each([['0.0.0.0:9700'], ['10.0.0.1:9700'], ['[::]:9700']])(
    'does not listen at %s without a secret',
    async (address) => {
      const { code, stdout, stderr } = await runCli(['load-agent', '--listen', address]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/reachable from other machines, so a --secret is needed/);
    },
  );

  it('says that a port is in use', async () => {
    const { address } = await startAgent();
    const { code, stderr } = await runCli(['load-agent', '--listen', address]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ringcast: the agent cannot listen: listen EADDRINUSE.*\n$/);
  });

  it('ends with 0 at SIGTERM', async () => {
    const { cli } = await startAgent();
    cli.kill('SIGTERM');
    expect(await cli.ended).toMatchObject({ code: 0, stderr: '' });
  });
});
