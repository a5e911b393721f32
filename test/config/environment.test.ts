// Whose variables are whose: what a cluster, a shell, a platform or another program sets neither stops nor changes anything.
import { describe, expect, it } from 'vitest';
import { configKeys, resolveConfig } from '#src/config.js';

const DEFAULTS = resolveConfig({ env: {}, flags: {} }).config;

function resolve(env: Record<string, string>) {
  return resolveConfig({ env, flags: {} });
}

/** As kubelet writes them into every pod of the namespace: https://kubernetes.io/docs/concepts/services-networking/service/ */
function serviceVariables(service: string, port: number, protocol: 'tcp' | 'udp', portName?: string) {
  const name = service.toUpperCase().replaceAll('-', '_');
  const link = `${name}_PORT_${port}_${protocol.toUpperCase()}`;
  return {
    [`${name}_SERVICE_HOST`]: '10.0.0.11',
    [`${name}_SERVICE_PORT`]: String(port),
    ...(portName === undefined ? {} : { [`${name}_SERVICE_PORT_${portName.toUpperCase()}`]: String(port) }),
    [`${name}_PORT`]: `${protocol}://10.0.0.11:${port}`,
    [link]: `${protocol}://10.0.0.11:${port}`,
    [`${link}_PROTO`]: protocol,
    [`${link}_PORT`]: String(port),
    [`${link}_ADDR`]: '10.0.0.11',
  };
}

describe('variables of others change nothing, and are not even told', () => {
  it.each([
    ['a Service named ringcast', serviceVariables('ringcast', 8787, 'tcp')],
    ['one with a named port', serviceVariables('ringcast', 8787, 'tcp', 'ws')],
    ['one whose name begins so', serviceVariables('ringcast-lanes', 9000, 'udp', 'lag')],
    ['one called ringcast-host', serviceVariables('ringcast-host', 80, 'tcp')],
    ['none', { PATH: '/bin', NODE_ENV: 'test', npm_config_port: '1', RINGCAST_NONSENSE: '', PORT: '' }],
    ['those of the commands', { RINGCAST_TOKEN: 't', RINGCAST_SECRET: 's' }],
  ])('%s', (_name, env) => {
    expect(resolve(env)).toMatchObject({ config: DEFAULTS, notices: [] });
  });

  it('a Service named ringcast leaves what was set for ringcast itself', () => {
    const { config, sources } = resolve({
      ...serviceVariables('ringcast', 1, 'tcp'),
      PORT: '9000',
      RINGCAST_LANES: '3',
    });
    expect(config).toEqual({ ...DEFAULTS, port: 9000, lanes: 3 });
    expect(sources.port).toBe('environment PORT');
  });
});

describe('variables that may be meant for others change nothing, and are told', () => {
  it.each([
    ['HOST', 'x86_64-conda-linux-gnu', 'RINGCAST_HOST'],
    ['HOST', 'my-laptop', 'RINGCAST_HOST'],
    ['PORT', 'tcp://10.0.0.1:80', 'RINGCAST_PORT'],
    ['PORT', '/run/app.sock', 'RINGCAST_PORT'],
    ['PORT', '70000', 'RINGCAST_PORT'],
    ['MAX_MESSAGES_PER_TOPIC', '250', 'RINGCAST_HISTORY_MESSAGES'],
    ['MAX_QUEUE_SIZE', '1000', 'RINGCAST_MAX_LAG_MESSAGES'],
    ['BACKPRESSURE_POLICY', 'disconnect', 'RINGCAST_SLOW_CONSUMER_POLICY'],
    ['HEARTBEAT_INTERVAL', '15000', 'RINGCAST_HEARTBEAT_MS'],
    ['CONNECTION_TIMEOUT', '5', 'RINGCAST_IDLE_TIMEOUT_MS'],
  ])('%s=%s', (variable, text, longName) => {
    const { config, notices } = resolve({ [variable]: text });
    expect(config).toEqual(DEFAULTS);
    expect(notices).toEqual([expect.stringMatching(new RegExp(`^${variable} is not used, .* set ${longName}`))]);
  });

  it.each([
    ['RINGCAST_PROT', /^RINGCAST_PROT is not used: no key has this variable; did you mean RINGCAST_PORT\?$/],
    ['RINGCAST_IMAGE_TAG', /^RINGCAST_IMAGE_TAG is not used: no key has this variable/],
    ['RINGCAST_PORT_NUMBER', /^RINGCAST_PORT_NUMBER is not used/],
  ])('%s', (variable, notice) => {
    const { config, notices } = resolve({ [variable]: '1' });
    expect(config).toEqual(DEFAULTS);
    expect(notices).toEqual([expect.stringMatching(notice)]);
  });
});

describe('variables that can mean nothing else count', () => {
  it.each(['0.0.0.0', '::', '127.0.0.1', 'localhost'])(
    'HOST=%s, and PORT that is a port, as platforms set them',
    (host) => {
      const { config, notices } = resolve({ HOST: host, PORT: '10000' });
      expect(config).toEqual({ ...DEFAULTS, host, port: 10_000 });
      expect(notices).toEqual(['from the environment: host (HOST), port (PORT)']);
    },
  );

  it('every RINGCAST_ name of a key, which is told in one line', () => {
    const { sources, notices } = resolve({ RINGCAST_PORT: '1', RINGCAST_HOST: 'a-name', RINGCAST_MAX_TOPICS: '7' });
    expect(sources).toMatchObject({ port: 'environment RINGCAST_PORT', host: 'environment RINGCAST_HOST' });
    expect(notices).toEqual([
      'from the environment: host (RINGCAST_HOST), port (RINGCAST_PORT), maxTopics (RINGCAST_MAX_TOPICS)',
    ]);
  });

  it('every short name, where RINGCAST_SHORT_NAMES says that they are meant', () => {
    const env = {
      RINGCAST_SHORT_NAMES: 'true',
      PORT: '9000',
      HOST: 'a-name',
      MAX_MESSAGES_PER_TOPIC: '250',
      MAX_QUEUE_SIZE: '1000',
      BACKPRESSURE_POLICY: 'disconnect',
      HEARTBEAT_INTERVAL: '15000',
      CONNECTION_TIMEOUT: '45s',
    };
    const short = configKeys.flatMap(({ environment }) => environment.slice(1));
    expect(Object.keys(env).slice(1).sort()).toEqual(short.sort());
    const { config, notices } = resolve(env);
    expect(config).toMatchObject({
      port: 9000,
      host: 'a-name',
      historyMessages: 250,
      maxLagMessages: 1000,
      slowConsumerPolicy: 'disconnect',
      heartbeatMs: 15_000,
      idleTimeoutMs: 45_000,
    });
    expect(notices).toHaveLength(1);
  });

  it.each(['drop_oldest', 'disconnect', 'conflate'])('BACKPRESSURE_POLICY=%s, if it is meant', (policy) => {
    const env = { RINGCAST_SHORT_NAMES: '1', BACKPRESSURE_POLICY: policy };
    expect(resolve(env).config.slowConsumerPolicy).toBe(policy);
  });
});
