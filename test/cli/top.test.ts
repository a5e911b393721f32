// `ringcast top` as a process, against an engine and a scripted server: what it prints where, and how it ends.
import { afterEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { StatsReport } from '#src/counters/report.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { EventHead } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import { makeReport } from '../counters/reports.mjs';
import { startEngine } from '../support/engines.js';
import { lines, RunningCli, runCli } from './run-cli.js';
import { type StubScript, StubServer } from './stub-server.js';

const servers: StubServer[] = [];

async function stub(onSubscribe: StubScript['onSubscribe']): Promise<StubServer> {
  const server = await StubServer.start(onSubscribe === undefined ? {} : { onSubscribe });
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function send(socket: WebSocket, alias: number, seq: number, payload: unknown): void {
  const head = new EventHead();
  const headBytes = head.write(alias, seq, Date.UTC(2026, 10, 20), 0);
  socket.send(Buffer.concat([head.bytes.subarray(0, headBytes), encode(payload)]));
}

const report = (number: number): StatsReport => makeReport(number, { lanes: 2, topics: 5, slowest: 3 });

/** A server that sends so many reports at once. */
function reporting(count: number): Promise<StubServer> {
  return stub((socket, { alias }) => {
    for (let number = 1; number <= count; number++) send(socket, alias, number, report(number));
  });
}

describe('ringcast top with a server', () => {
  it('--once --json prints its figures', async () => {
    const { engine, url } = await startEngine({ statsIntervalMs: 100 });
    await engine.publish('prices:AAPL', 229.1);
    const { code, stdout, stderr } = await runCli(['top', '--once', '--json', '--url', url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      engine: { connections: 1, topics: 1, messages: 1 },
      lanes: [{ lane: 0, state: 'running' }],
      topics: [{ topic: 'prices:AAPL', home: 'cold', messages: 1 }],
      slowest: [],
    });
  });

  it('that publishes no figures ends with 1 and one line that says what to do', async () => {
    const { url } = await startEngine({ statsIntervalMs: 0 });
    const { code, stdout, stderr } = await runCli(['top', '--url', url]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines(stderr)).toHaveLength(1);
    expect(stderr).toMatch(/does not publish figures.*statsIntervalMs is 0.*Start it with statsIntervalMs above 0/);
  });
});

describe('ringcast top', () => {
  it('--once --json prints one report with all figures as one line, and ends with 0', async () => {
    const server = await reporting(3);
    const { code, stdout, stderr } = await runCli(['top', '--once', '--json', '--url', server.url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout)).toHaveLength(1);
    expect(JSON.parse(stdout)).toEqual(report(1));
    expect([...server.topics.keys()]).toEqual(['$stats']);
  });

  it('--once prints the tables without colours or control sequences into a pipe', async () => {
    const { url } = await reporting(1);
    const { code, stdout } = await runCli(['top', '--once', '--sort', 'name', '--url', url]);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    expect(lines(stdout).filter((line) => line.startsWith('Thema')).length).toBe(5);
    expect(stdout).toContain('SLOWEST');
  });

  it('into a pipe prints one report after the other until it is told to end', async () => {
    const { url } = await reporting(3);
    const cli = new RunningCli(['top', '--url', url]);
    await cli.until(({ stdout }) => stdout.split('SLOWEST').length === 4);
    cli.kill('SIGINT');
    const { code, stdout, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const number of [1, 2, 3]) expect(stdout).toContain(`Thema ${number}/0`);
  });

  it('--json prints one line per report', async () => {
    const { url } = await reporting(2);
    const cli = new RunningCli(['top', '--json', '--url', url]);
    await cli.until(({ stdout }) => lines(stdout).length === 2);
    cli.kill('SIGTERM');
    const { code, stdout } = await cli.ended;
    expect(code).toBe(0);
    expect(lines(stdout).map((line) => JSON.parse(line))).toEqual([report(1), report(2)]);
  });

  it('ends with 1 and one line when the server publishes no figures', async () => {
    const { url } = await stub((socket, { alias }) =>
      socket.send(msgpackEncoder.revoked({ alias, topic: '$stats' }, 'TOPIC_NOT_FOUND', 'figures are off')),
    );
    expect(await runCli(['top', '--url', url])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'ringcast: the server ended the subscription: figures are off (TOPIC_NOT_FOUND)\n',
    });
  });

  it('ends with 1 and one line when what comes is no report, or the server goes', async () => {
    const strange = await stub((socket, { alias }) => send(socket, alias, 1, { engine: {}, lanes: 3 }));
    const going = await stub((socket) => socket.close(1001, 'the server stops'));
    expect(await runCli(['top', '--url', strange.url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringcast: .*not in a form that this version knows\n$/),
    });
    expect(await runCli(['top', '--once', '--url', going.url])).toMatchObject({
      code: 1,
      stderr: 'ringcast: the connection was closed (1001): the server stops\n',
    });
  });
});
