// Whose pages may connect: to a server on this machine, to one for all, and with a list.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '#src/config.js';
import { Origins } from '#src/gateway/origins.js';

const LOCAL = '127.0.0.1';
const PUBLIC = '0.0.0.0';

interface Case {
  listen: string;
  allowed?: string[];
  origin: string | undefined;
  host: string | undefined;
}

const mayConnect = ({ listen, allowed = [], origin, host }: Case): boolean =>
  new Origins(allowed, listen).problem(origin, host) === null;

describe('may connect', () => {
  it.each<Case>([
    { listen: LOCAL, origin: undefined, host: 'x' },
    { listen: LOCAL, origin: undefined, host: undefined },
    { listen: LOCAL, origin: 'http://127.0.0.1:8787', host: '127.0.0.1:8787' },
    { listen: LOCAL, origin: 'http://127.0.0.1:3000', host: '127.0.0.1:8787' },
    { listen: LOCAL, origin: 'http://localhost:3000', host: '127.0.0.1:8787' },
    { listen: 'localhost', origin: 'http://app.localhost', host: 'localhost:8787' },
    { listen: '::1', origin: 'http://[::1]:3000', host: '[::1]:8787' },
    { listen: PUBLIC, origin: 'http://localhost:3000', host: '127.0.0.1:8787' },
    { listen: PUBLIC, origin: 'https://app.example', host: 'app.example' },
    { listen: PUBLIC, origin: 'https://app.example', host: 'App.Example.:8787' },
    { listen: PUBLIC, origin: 'http://192.0.2.7', host: '192.0.2.7:8787' },
    { listen: LOCAL, allowed: ['https://app.example'], origin: 'https://app.example', host: '127.0.0.1:8787' },
    { listen: LOCAL, allowed: ['https://app.example'], origin: 'https://app.example', host: 'app.example' },
    { listen: LOCAL, allowed: ['https://*.Example'], origin: 'https://a.b.example', host: '127.0.0.1:8787' },
    { listen: LOCAL, allowed: ['http://localhost:*'], origin: 'http://localhost:3000', host: 'whatever' },
    { listen: LOCAL, allowed: ['*'], origin: 'https://elsewhere.example', host: '127.0.0.1:8787' },
    { listen: LOCAL, allowed: ['*'], origin: 'null', host: '127.0.0.1:8787' },
    { listen: LOCAL, allowed: ['null'], origin: 'null', host: '127.0.0.1:8787' },
    { listen: LOCAL, allowed: ['tauri://localhost'], origin: 'tauri://localhost', host: '127.0.0.1:8787' },
  ])('%j', (asked) => {
    expect(mayConnect(asked)).toBe(true);
  });
});

describe('may not connect', () => {
  it.each<Case>([
    { listen: LOCAL, origin: 'https://elsewhere.example', host: '127.0.0.1:8787' },
    // Files, sandboxed frames, data: and about: pages.
    { listen: LOCAL, origin: 'null', host: '127.0.0.1:8787' },
    // A name of the attacker's that leads to this machine (DNS rebinding).
    { listen: LOCAL, origin: 'http://rebound.example:8787', host: 'rebound.example:8787' },
    { listen: 'localhost', origin: 'http://rebound.example', host: 'rebound.example' },
    { listen: LOCAL, origin: 'http://127.0.0.1.elsewhere.example', host: '127.0.0.1:8787' },
    { listen: LOCAL, origin: 'http://notlocalhost', host: 'localhost:8787' },
    { listen: LOCAL, origin: 'http://127.0.0.1', host: 'elsewhere.example' },
    { listen: PUBLIC, origin: 'http://localhost:3000', host: 'app.example' },
    { listen: PUBLIC, origin: 'https://elsewhere.example', host: 'app.example' },
    { listen: PUBLIC, origin: 'https://sub.app.example', host: 'app.example' },
    { listen: PUBLIC, origin: 'https://app.example, https://elsewhere.example', host: 'app.example' },
    { listen: LOCAL, origin: 'tauri://localhost', host: 'localhost:8787' },
    { listen: LOCAL, origin: '', host: '127.0.0.1:8787' },
    { listen: LOCAL, origin: 'http://undefined', host: undefined },
    { listen: LOCAL, origin: 'garbage', host: 'garbage' },
    { listen: LOCAL, allowed: ['https://app.example'], origin: 'http://app.example', host: '127.0.0.1' },
    { listen: LOCAL, allowed: ['https://app.example'], origin: 'https://app.example:444', host: '127.0.0.1' },
    { listen: LOCAL, allowed: ['https://*.example'], origin: 'https://example', host: '127.0.0.1' },
  ])('%j', (asked) => {
    expect(mayConnect(asked)).toBe(false);
  });

  it('and are told what to do, in one line, whatever they send', () => {
    const origins = new Origins([], LOCAL);
    expect(origins.problem('https://a.example', LOCAL)).toMatch(/^pages of https:\/\/a\.example .*allowedOrigins/);
    expect(origins.problem('a\r\nb', LOCAL)).toMatch(/^pages of this origin /);
  });
});

describe('allowedOrigins', () => {
  it('takes origins, patterns and null', () => {
    const allowedOrigins = [
      '*',
      'null',
      'https://a.example',
      'http://localhost:*',
      '*://[::1]:3000',
      'tauri://localhost',
    ];
    expect(parseConfig({ allowedOrigins }).allowedOrigins).toEqual(allowedOrigins);
  });

  it.each(['', 'a.example', 'https://a.example/', 'https://a.example/path', 'https://', 7])('refuses %j', (origin) => {
    expect(() => parseConfig({ allowedOrigins: [origin as string] })).toThrow('must be an origin as browsers send it');
  });
});
