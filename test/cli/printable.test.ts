// What a server says never steers the terminal of who listens, whichever command shows it and through whichever field.
import { afterEach, describe, expect, it } from 'vitest';
import { describeFailure } from '#src/cli/failure.js';
import { printable, printableJson, printableLines } from '#src/cli/printable.js';
import { RingcastError } from '#src/errors.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { EventHead } from '#src/protocol/event.js';
import { encode } from '#src/protocol/msgpack.js';
import { makeReport } from '../counters/reports.mjs';
import { runCli } from './run-cli.js';
import { type StubScript, StubServer } from './stub-server.js';

/** CSI as one character and as two, "clear the screen" with each, a string for the window title, DEL, and a reversed direction. */
const EVIL = 'a\u009b2J\u001b[2J\u009d0;t\u009c\u0007\u007f\u202eb\r';
/** What may reach a terminal: no control but the line end, and nothing that turns the direction of writing. */
const UNSAFE = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

const servers: StubServer[] = [];

async function stub(script: StubScript): Promise<string> {
  const server = await StubServer.start(script);
  servers.push(server);
  return server.url;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function event(alias: number, payload: unknown): Buffer {
  const head = new EventHead();
  const headBytes = head.write(alias, 1, Date.UTC(2026, 10, 20), 0);
  return Buffer.concat([head.bytes.subarray(0, headBytes), encode(payload)]);
}

describe('the functions', () => {
  it('leave no code point in a line that steers, and keep all others', () => {
    for (let code = 0; code < 0x3000; code++) {
      const char = String.fromCodePoint(code);
      expect(UNSAFE.test(printable(char).replace('\n', '?'))).toBe(false);
      if (/[\p{L}\p{N}\p{P}\p{S} ]/u.test(char)) expect(printable(char)).toBe(char);
      const json = printableJson(JSON.stringify({ [char]: char }));
      expect(UNSAFE.test(json)).toBe(false);
      expect(JSON.parse(json)).toEqual({ [char]: char });
    }
    expect(printable(EVIL)).not.toMatch(UNSAFE);
    expect(printable('prices:😀')).toBe('prices:😀');
  });

  it('keep the lines of a stack, and of indented JSON', () => {
    expect(printableLines('a\n  b\u009b')).toBe('a\n  b\u{FFFD}');
    const indented = JSON.stringify({ a: 1 }, null, 2);
    expect(printableJson(indented)).toBe(indented);
  });

  it.each([
    new Error(EVIL),
    new RingcastError('INTERNAL', EVIL),
    new RingcastError('BAD_REQUEST', `x\n${EVIL}`, { problems: [] }),
    Object.assign(new Error(EVIL), { code: 'E' }),
    EVIL,
  ])('an error: %o', (error) => expect(describeFailure(error)).not.toMatch(UNSAFE));
});

describe('ringcast sub', () => {
  it.each([['--raw'], ['--json'], []])('%s: payloads', async (...format) => {
    const url = await stub({
      onSubscribe: (socket, { alias }) => socket.send(event(alias, { [EVIL]: [EVIL] })),
    });
    const { code, stdout, stderr } = await runCli(['sub', 't', ...format, '--count', '1', '--url', url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toMatch(UNSAFE);
    if (format[0] === '--raw') expect(Object.keys(JSON.parse(stdout))).toEqual([EVIL]);
  });

  it('notices, gaps, and why it ended', async () => {
    const url = await stub({
      onSubscribe: (socket, { alias, name }) => {
        socket.send(msgpackEncoder.notice(EVIL as 'drain', { [EVIL]: EVIL } as never));
        socket.send(msgpackEncoder.revoked({ alias, topic: name }, 'TOPIC_NOT_FOUND', EVIL));
      },
    });
    const ended = await runCli(['sub', 't', '--url', url]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/notice a.*\n.*ended the subscription: a/);
    const closing = await stub({ onSubscribe: (socket) => socket.close(4000, EVIL) });
    const closed = await runCli(['sub', 't', '--url', closing]);
    expect(closed.stderr).toMatch(/the connection was closed \(4000\): a/);
    for (const text of [ended.stderr, closed.stderr]) expect(text).not.toMatch(UNSAFE);
  });
});

it('ringcast top: every text of a report', async () => {
  const report = structuredClone(makeReport(1, { lanes: 2, topics: 3, slowest: 2 })) as never as {
    lanes: Record<string, unknown>[];
    topics: Record<string, unknown>[];
    slowest: Record<string, unknown>[];
  };
  for (const lane of report.lanes) Object.assign(lane, { lane: EVIL, state: EVIL });
  for (const topic of report.topics) Object.assign(topic, { topic: EVIL, home: EVIL });
  for (const row of report.slowest) Object.assign(row, { connectionId: EVIL, topic: EVIL, clientId: EVIL });
  const url = await stub({ onSubscribe: (socket, { alias }) => socket.send(event(alias, report)) });
  for (const form of [[], ['--json']]) {
    const { code, stdout } = await runCli(['top', '--once', ...form, '--url', url]);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(UNSAFE);
  }
});
