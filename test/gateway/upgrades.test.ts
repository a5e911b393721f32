// What a handshake is answered when things go wrong that no client can bring about at will.
import { describe, expect, it } from 'vitest';
import { type UpgradeHost, Upgrades } from '#src/gateway/upgrades.js';
import type { HttpRequest, HttpResponse, us_socket_context_t } from '#src/gateway/uws.js';
import { HookCalls } from '#src/router/hook-calls.js';
import type { Hooks } from '#src/router/hooks.js';

const CONTEXT = {} as us_socket_context_t;
const REQUEST = {
  getUrl: () => '/ws',
  getQuery: () => undefined as unknown as string,
  forEach: (onHeader: (name: string, value: string) => void) => onHeader('host', '127.0.0.1'),
} as HttpRequest;

class Lab {
  readonly faults: unknown[] = [];
  refused = 0;
  retryAfterMs = 0;
  connectionCount = 0;
  isDraining = false;
  fail: string | null = null;
  readonly upgrades: Upgrades;

  constructor(hooks: Hooks = {}, maxConnections = 1) {
    const lab = this;
    const host: UpgradeHost = {
      get isDraining() {
        return lab.isDraining;
      },
      get connectionCount() {
        return lab.connectionCount;
      },
      retryAfterMs: (address) => (address === '192.0.2.7' ? this.retryAfterMs : 0),
      createConnection: (request) => {
        if (this.fail !== null) throw new Error(this.fail);
        return request as never;
      },
      refused: () => this.refused++,
      fault: (fault) => this.faults.push(fault),
      filesAreScarce: () => {},
    };
    const hookCalls = new HookCalls(0, (fault) => this.faults.push(fault));
    this.upgrades = new Upgrades(
      { host: '127.0.0.1', maxConnections, allowedOrigins: [], openFilesMax: null },
      hooks,
      hookCalls,
      host,
    );
  }

  /** What is answered, a line per call. */
  ask(): { lines: string[]; abort: () => void } {
    const lines: string[] = [];
    let abort = (): void => {};
    const res = {
      getRemoteAddressAsText: () => Buffer.from('192.0.2.7'),
      writeStatus: (status: string) => {
        lines.push(status);
        return res;
      },
      writeHeader: (name: string, value: string) => {
        if (name === 'retry-after') lines.push(`${name} ${value}`);
        return res;
      },
      end: (body: string, isClosing: boolean) => lines.push(`${body.trim()}${isClosing ? ', closed' : ''}`),
      onAborted: (aborted: () => void) => {
        abort = aborted;
      },
      cork: (act: () => void) => act(),
      upgrade: () => lines.push('upgraded'),
    };
    this.upgrades.upgrade(res as unknown as HttpResponse, REQUEST, CONTEXT);
    return { lines, abort: () => abort() };
  }
}

describe('a handshake', () => {
  it('from an address that has just flooded is told when to come back, and nobody is asked', () => {
    let asked = 0;
    const lab = new Lab({ onConnect: () => ++asked > 0 });
    lab.retryAfterMs = 1500;
    const { lines } = lab.ask();
    expect(lines).toEqual([
      '429 Too Many Requests',
      'retry-after 2',
      expect.stringMatching(/^RATE_LIMITED: .*closed$/),
    ]);
    expect([asked, lab.refused]).toEqual([0, 1]);
    lab.retryAfterMs = 0;
    expect(lab.ask().lines).toEqual(['upgraded']);
  });

  it.each(['at once', 'by a promise'])(
    'of which the server fails %s is answered, and its place is free',
    async (how) => {
      const lab = new Lab({ onConnect: () => (how === 'at once' ? true : Promise.resolve(true)) });
      lab.fail = 'no memory';
      const failed = lab.ask();
      await new Promise(setImmediate);
      expect(failed.lines).toEqual(['500 Internal Server Error', expect.stringMatching(/^INTERNAL: .*closed$/)]);
      expect(lab.faults).toMatchObject([{ message: 'no memory' }]);
      lab.fail = null;
      const next = lab.ask();
      await new Promise(setImmediate);
      expect(next.lines).toEqual(['upgraded']);
    },
  );

  it('that is aborted is not touched again, whenever the hook answers', async () => {
    const answers: ((isIn: boolean) => void)[] = [];
    const lab = new Lab({ onConnect: () => new Promise<boolean>((resolve) => answers.push(resolve)) });
    const aborted = lab.ask();
    expect(lab.ask().lines[0]).toBe('503 Service Unavailable');
    aborted.abort();
    const next = lab.ask();
    for (const answer of answers) answer(true);
    await new Promise(setImmediate);
    expect([aborted.lines, next.lines]).toEqual([[], ['upgraded']]);
    expect(lab.faults).toEqual([]);
  });

  it('that onConnect lets in while the server stops is told so', async () => {
    const lab = new Lab({ onConnect: () => Promise.resolve(true) });
    const { lines } = lab.ask();
    lab.isDraining = true;
    await new Promise(setImmediate);
    expect(lines).toEqual(['503 Service Unavailable', expect.stringMatching(/^SHUTTING_DOWN: /)]);
    expect(lab.ask().lines).toEqual(lines);
  });
});
