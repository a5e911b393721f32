// Baseline: nginx with the nchan module. A publish is an HTTP POST on a kept-alive connection; a subscriber is a WebSocket whose
// URL names its channels, up to 255 of them, so a connection that subscribes is upgraded only then, and once.
// nchan does not say when a subscription stands. It gives a new subscriber what a channel has kept (its default), so each channel
// is given a greeting at the start, and its arrival confirms the subscription. Who subscribes later gets old messages, too.

import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { accepts, ExternalServer, freePort, missingProgram, temporaryFolder } from '../support/external-server.js';
import type { Dialect, EventSink, OpenConnection, Peer, RunningServer, ServerOptions } from '../support/peer.js';

const PROGRAM = 'nginx';
const MODULES = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/share/nginx/modules'].map(
  (folder) => `${folder}/ngx_nchan_module.so`,
);
/** nchan's own limit. */
const CHANNELS_PER_CONNECTION_MAX = 255;
/** Each has to be greeted at the start. */
const CHANNELS_MAX = 10_000;
const CHANNEL_DIGITS = 7;
/** No payload is so short. */
const GREETING = 'greeting';
const GREETERS = 16;
/** Another process may take the port that was free. */
const START_ATTEMPTS = 3;
const HEADERS_END = '\r\n\r\n';
const DIGIT_0 = 0x30;

/** Its defaults, but for what the number of connections, the size of payloads and the number of requests per connection ask for. */
function configuration(port: number, module: string): string {
  return `
daemon off;
pid nginx.pid;
error_log stderr;
load_module ${module};
worker_processes auto;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/pub/(\\w+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
    }
    location ~ ^/sub/(.+)$ {
      nchan_subscriber websocket;
      nchan_channel_id $1;
      nchan_channel_id_split_delimiter "/";
      nchan_max_channel_id_length 4096;
    }
  }
}
`;
}

const findModule = (): string | null => MODULES.find(existsSync) ?? null;

function unavailable({ topics, topicsPerConnection = 1, tls }: ServerOptions): string | null {
  const channels = topics.hot + topics.cold;
  if (topicsPerConnection > CHANNELS_PER_CONNECTION_MAX) {
    return `nchan has at most ${CHANNELS_PER_CONNECTION_MAX} channels per connection, not ${topicsPerConnection}`;
  }
  if (channels > CHANNELS_MAX) return `each of ${channels} channels would have to be greeted at the start`;
  if (tls !== undefined) return 'nginx is set up without TLS here';
  const missing = missingProgram(PROGRAM, 'nginx-light libnginx-mod-nchan');
  if (missing !== null) return missing;
  return findModule() === null ? `nginx has no nchan (Debian: apt-get install libnginx-mod-nchan)` : null;
}

async function startServer(options: ServerOptions): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    let server: ExternalServer | null = null;
    try {
      server = await startOn(port);
      await greetAll(port, options.topics.hot + options.topics.cold);
      return { port, pids: server.pids, close: closer(server) };
    } catch (error) {
      await server?.close();
      if (attempt === START_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/** A worker that crashes is replaced: clients only see that they lose their connections. */
function closer(server: ExternalServer): () => Promise<void> {
  return async () => {
    await server.close();
    const crashes = server.output.split('\n').filter((line) => line.includes('exited on signal'));
    if (crashes.length > 0) process.stderr.write(`${crashes.join('\n')}\n`);
  };
}

function startOn(port: number): Promise<ExternalServer> {
  const folder = temporaryFolder({ 'nginx.conf': configuration(port, findModule()!) });
  const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
  return ExternalServer.start({ program: PROGRAM, args, folder, isReady: () => accepts(port) });
}

async function greetAll(port: number, channels: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: GREETERS });
  let next = 0;
  const greeter = async (): Promise<void> => {
    while (next < channels) await greet(agent, port, channel(next++));
  };
  try {
    await Promise.all(Array.from({ length: GREETERS }, greeter));
  } finally {
    agent.destroy();
  }
}

function greet(agent: Agent, port: number, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream' };
    const sent = request(
      { agent, host: '127.0.0.1', port, path: `/pub/${name}`, method: 'POST', headers },
      (response) => {
        const { statusCode = 0 } = response;
        response.resume().once('error', reject);
        if (statusCode >= 200 && statusCode < 300) response.once('end', resolve);
        else reject(new Error(`nginx refuses to publish: ${statusCode}`));
      },
    );
    sent.once('error', reject).end(GREETING);
  });
}

class NchanDialect implements Dialect {
  readonly path = null;
  readonly subprotocol = null;
  readonly writesMessages = true;
  /** What has come of an answer to a publish, by the connection's index. */
  readonly #answers = new Map<number, string>();
  /** By their index. */
  readonly #upgraded = new Map<number, OpenConnection>();
  /** Connections with one channel that have got nothing yet, by their index. */
  readonly #silent = new Set<number>();

  opened(connection: OpenConnection): void {
    this.#upgraded.set(connection.index, connection);
  }

  subscribe(connection: OpenConnection, topics: readonly number[]): void {
    if (this.#upgraded.get(connection.index) === connection) throw new Error('nchan: a connection subscribes once');
    if (topics.length > CHANNELS_PER_CONNECTION_MAX) throw new Error('nchan: too many channels for a connection');
    if (topics.length === 1) this.#silent.add(connection.index);
    connection.upgrade(`/sub/${topics.map(channel).join('/')}`);
  }

  publishBytes(payloadBytes: number): number {
    return publishHead(payloadBytes).length + payloadBytes;
  }

  writePublish(bytes: Uint8Array, offset: number, topic: number, payloadBytes: number): number {
    const head = publishHead(payloadBytes);
    bytes.set(head, offset);
    let rest = topic;
    for (let digit = offset + PUBLISH_START.length + CHANNEL_DIGITS - 1; rest > 0; digit--) {
      bytes[digit] = DIGIT_0 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return offset + head.length;
  }

  read(connection: number, bytes: Uint8Array, _view: DataView, start: number, end: number, sink: EventSink): void {
    if (!this.#upgraded.has(connection)) {
      this.#readAnswers(connection, bytes, start, end, sink);
      return;
    }
    const isGreeting = end - start === GREETING.length;
    // A channel in use has forgotten its greeting: any first message says that the subscription stands.
    if (isGreeting || (this.#silent.size > 0 && this.#silent.has(connection))) {
      this.#silent.delete(connection);
      sink.acknowledged(connection, 1);
    }
    if (!isGreeting) sink.payload(connection, start, end);
  }

  /** Answers to publishes: only a refusal is of interest. */
  #readAnswers(connection: number, bytes: Uint8Array, start: number, end: number, sink: EventSink): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    let text = (this.#answers.get(connection) ?? '') + chunk;
    for (;;) {
      const headersEnd = text.indexOf(HEADERS_END);
      if (headersEnd < 0) break;
      const headers = text.slice(0, headersEnd);
      const answerEnd = headersEnd + HEADERS_END.length + Number(/^content-length: *(\d+)/im.exec(headers)?.[1] ?? 0);
      if (text.length < answerEnd) break;
      if (!headers.startsWith('HTTP/1.1 2')) sink.problem(connection, `publish refused: ${headers.split('\r\n')[0]}`);
      text = text.slice(answerEnd);
    }
    this.#answers.set(connection, text);
  }
}

function channel(topic: number): string {
  return String(topic).padStart(CHANNEL_DIGITS, '0');
}

const PUBLISH_START = 'POST /pub/';
const publishHeads = new Map<number, Buffer>();

/** For channel 0. The content type makes nchan deliver binary messages. */
function publishHead(payloadBytes: number): Buffer {
  let head = publishHeads.get(payloadBytes);
  if (head === undefined) {
    const headers = `Host: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: ${payloadBytes}`;
    head = Buffer.from(`${PUBLISH_START}${channel(0)} HTTP/1.1\r\n${headers}${HEADERS_END}`);
    publishHeads.set(payloadBytes, head);
  }
  return head;
}

export const peer: Peer = { name: 'nginx-nchan', unavailable, startServer, createDialect: () => new NchanDialect() };
