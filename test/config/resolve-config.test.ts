// File < environment < flags, and of each value where it came from.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfigLayers, configKeys, configValue, resolveConfig } from '#src/config.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringcast-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(content: unknown): string {
  const path = join(folder, `${configFiles++}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
let configFiles = 0;

function resolve(layers: Partial<ConfigLayers>) {
  return resolveConfig({ env: {}, flags: {}, ...layers });
}

describe('resolveConfig', () => {
  it('takes a flag before the environment, that before the file, that before the default', () => {
    const path = file({ port: 1, lanes: 2, heartbeatMs: '10s' });
    const { config, sources } = resolve({
      file: path,
      env: { RINGCAST_PORT: '3', RINGCAST_LANES: '4', RINGCAST_MAX_LAG_MESSAGES: '5' },
      flags: { port: '6', maxTopics: '7', historyMessages: undefined },
    });
    expect(config).toMatchObject({
      port: 6,
      lanes: 4,
      heartbeatMs: 10_000,
      maxLagMessages: 5,
      maxTopics: 7,
      historyMessages: 100,
    });
    expect(sources).toMatchObject({
      port: 'flag --port',
      lanes: 'environment RINGCAST_LANES',
      heartbeatMs: `file ${path}`,
      maxLagMessages: 'environment RINGCAST_MAX_LAG_MESSAGES',
      maxTopics: 'flag --max-topics',
      historyMessages: 'default',
      host: 'default',
    });
  });

  it('names a source for every key', () => {
    expect(Object.keys(resolve({}).sources).sort()).toEqual(configKeys.map((key) => key.name).sort());
  });

  it('takes the RINGCAST_ name before the short one', () => {
    const { config, sources } = resolve({ env: { PORT: '1', RINGCAST_PORT: '2' } });
    expect(config.port).toBe(2);
    expect(sources.port).toBe('environment RINGCAST_PORT');
  });

  it('takes every key from the environment and from a flag, as text', () => {
    const texts: Record<string, string> = {
      'topics.create': 'a, b',
      'topics.rules': '[{"match":"a*"}]',
      'topics.autoCreate': 'false',
      allowedOrigins: 'https://a.example, https://*.b.example',
    };
    const needed = { RINGCAST_TLS_CERT_FILE: 'c.pem', RINGCAST_TLS_KEY_FILE: 'k.pem' };
    for (const key of configKeys) {
      const text = texts[key.name] ?? String(key.default ?? 'x.pem');
      const byEnvironment = resolve({ env: { ...needed, [key.environment[0]]: text } });
      expect(byEnvironment.sources[key.name]).toBe(`environment ${key.environment[0]}`);
      const byFlag = resolve({ env: needed, flags: { [key.name]: text } });
      expect(byFlag.sources[key.name]).toBe(`flag ${key.flag}`);
      expect(configValue(byFlag.config, key.name)).toEqual(configValue(byEnvironment.config, key.name));
      if (!(key.name in texts)) expect(String(configValue(byFlag.config, key.name))).toBe(text);
    }
    const { topics } = resolve({ flags: texts }).config;
    expect(topics).toEqual({ autoCreate: false, create: ['a', 'b'], rules: [{ match: 'a*', home: 'auto' }] });
  });

  it('merges nested keys of different layers', () => {
    const path = file({ topics: [{ match: 'a*', home: 'hot' }], tls: { certFile: 'file.pem', keyFile: 'k.pem' } });
    const { config, sources } = resolve({
      file: path,
      env: { RINGCAST_TOPICS_AUTO_CREATE: 'false' },
      flags: { 'tls.certFile': 'flag.pem' },
    });
    expect(config.topics).toEqual({ autoCreate: false, create: [], rules: [{ match: 'a*', home: 'hot' }] });
    expect(config.tls).toEqual({ certFile: 'flag.pem', keyFile: 'k.pem' });
    expect(sources).toMatchObject({
      'topics.rules': `file ${path}`,
      'topics.autoCreate': 'environment RINGCAST_TOPICS_AUTO_CREATE',
      'topics.create': 'default',
      'tls.certFile': 'flag --tls-cert-file',
      'tls.keyFile': `file ${path}`,
    });
  });

  it.each<[string, () => Partial<ConfigLayers>, string[]]>([
    [
      'text that is no number',
      () => ({ env: { RINGCAST_PORT: 'http' } }),
      ['port (environment RINGCAST_PORT): must be a whole number', 'got "http"'],
    ],
    [
      'a bad flag',
      () => ({ flags: { maxDelayMs: 'soon' } }),
      ['maxDelayMs (flag --max-delay-ms): must be "auto" or a duration'],
    ],
    ['an unknown flag', () => ({ flags: { prot: 1 } }), ['prot (flag): unknown flag; did you mean port?']],
    [
      'rules that are no JSON',
      () => ({ env: { RINGCAST_TOPICS_RULES: '[{' } }),
      ['topics.rules (environment RINGCAST_TOPICS_RULES): must be a list (as text: JSON); got "[{"'],
    ],
    [
      'a word that is no boolean',
      () => ({ flags: { 'topics.autoCreate': 'maybe' } }),
      ['topics.autoCreate (flag --topics-auto-create): must be true or false'],
    ],
    [
      'a certificate without key',
      () => ({ env: { RINGCAST_TLS_CERT_FILE: 'c.pem' } }),
      ['tls.keyFile: is missing; it must be text'],
    ],
    [
      'a passphrase given twice',
      () => ({
        env: { RINGCAST_TLS_CERT_FILE: 'c', RINGCAST_TLS_KEY_FILE: 'k', RINGCAST_TLS_PASSPHRASE: 'p' },
        flags: { 'tls.passphraseFile': 'p.txt' },
      }),
      ['tls.passphraseFile (flag --tls-passphrase-file): is given beside tls.passphrase'],
    ],
    [
      'a file that is not there',
      () => ({ file: join(folder, 'absent.json') }),
      ['absent.json', 'cannot be read (ENOENT)'],
    ],
    ['a file that is no JSON', () => ({ file: file('{"port": 1,}') }), ['is not JSON']],
    ['a file with a list', () => ({ file: file([]) }), ['must hold one JSON object']],
    [
      'an unknown key in a file',
      () => ({ file: file({ prot: 1, lanes: 1 }) }),
      ['prot (file ', 'unknown key; did you mean port?'],
    ],
    ['an unknown key beside no known one', () => ({ file: file({ prot: 1 }) }), ['prot (file ', 'did you mean port?']],
    [
      'a bad value in a file',
      () => ({ file: file({ topics: [{ match: 'a', home: 'x' }] }) }),
      ['topics.rules[0].home (file ', 'must be "auto"'],
    ],
    [
      'a contradiction between two layers',
      () => ({ file: file({ heartbeatMs: 5000 }), env: { RINGCAST_IDLE_TIMEOUT_MS: '1s' } }),
      ['idleTimeoutMs (environment RINGCAST_IDLE_TIMEOUT_MS): is 1 s'],
    ],
  ])('refuses %s and says where it is', (_name, layers, parts) => {
    let message = '';
    try {
      resolve(layers());
    } catch (error) {
      message = (error as Error).message;
    }
    for (const part of parts) expect(message).toContain(part);
  });

  it('tells the problems of all layers at once', () => {
    const layers = {
      file: file({ prot: 1, lanes: -1 }),
      env: { RINGCAST_PORT: 'x' },
      flags: { maxLagMs: '-1', nonsense: 1 },
    };
    expect(() => resolve(layers)).toThrow(/^invalid configuration, 5 problems:/);
  });
});
