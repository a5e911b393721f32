/** The agent's side: waits for a coordinator, and generates the load that it asks for with processes of this machine. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import {
  ALIVE_MS,
  HELLO_MAX_CHARACTERS,
  isProof,
  LINE_MAX_CHARACTERS,
  onLines,
  SILENCE_MAX_MS,
  sendLine,
  WIRE_VERSION,
} from './agent-wire.js';
import { startLocalTeam } from './local-team.js';
import type { Team, TeamCommand, TeamReport } from './team.js';

/** What a coordinator may ask for; the rest of a command is checked by what it does. */
const COMMANDS = new Set<unknown>(['start', 'probe', 'go', 'stop', 'verify']);
const PROCESSES_MAX = 256;
/** Connections at a time; a run needs one. */
const PEERS_MAX = 256;
const HELLO_MAX_DEFAULT_MS = 10_000;
/** How long who was refused may take to read why. */
const REFUSED_MAX_MS = 1000;

export interface AgentOptions {
  readonly host: string;
  readonly port: number;
  /** Null: whoever connects may give orders; only where nobody else can. */
  readonly secret: string | null;
  readonly print: (line: string) => void;
  /** How long a stranger has to show that it knows the secret, whatever it sends meanwhile (default 10,000). */
  readonly helloMaxMs?: number;
}

/** Writer and reader: one thread. One run at a time. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #server: Server;
  #team: Team | null = null;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = PEERS_MAX;
  }

  /** Resolves with the port. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.#team?.close();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { secret, print, helloMaxMs = HELLO_MAX_DEFAULT_MS } = this.#options;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const nonce = randomBytes(16).toString('hex');
    let team: Team | null = null;
    const alive = setInterval(() => sendLine(socket, { type: 'alive' }), ALIVE_MS);
    const refuse = (error: string): void => {
      endLines();
      clearInterval(alive);
      print(`${peer}: refused, ${error}`);
      sendLine(socket, { type: 'failed', error });
      socket.end();
      // Its own end may never come; closing at once could take the answer from it.
      clearTimeout(deadline);
      deadline = setTimeout(() => socket.destroy(), REFUSED_MAX_MS);
    };
    let deadline = setTimeout(() => refuse('it did not introduce itself in time'), helloMaxMs);
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy());
    socket.on('error', () => {}); // its close follows
    socket.on('close', () => {
      clearInterval(alive);
      clearTimeout(deadline);
      if (team === null) return;
      team.close();
      this.#team = team = null;
      print(`${peer}: over`);
    });
    const endLines = onLines(socket, {
      maxCharacters: () => (team === null ? HELLO_MAX_CHARACTERS : LINE_MAX_CHARACTERS),
      onObject: (value) => {
        if (team === null) {
          if (value.ringcastLoad !== WIRE_VERSION) return refuse(`it speaks another version than ${WIRE_VERSION}`);
          if (secret !== null && !isProof(value.proof, secret, nonce)) return refuse('the secret is wrong');
          if (this.#team !== null) return refuse('busy with another run');
          clearTimeout(deadline);
          team = this.#team = this.#start(socket, value.processes);
          print(`${peer}: a run begins`);
        } else if (COMMANDS.has(value.type)) {
          team.send(value as unknown as TeamCommand);
        }
      },
      onBad: () => refuse('it sent something that is not JSON, or too much of it'),
    });
    sendLine(socket, { ringcastLoad: WIRE_VERSION, nonce });
  }

  #start(socket: Socket, processes: unknown): Team {
    const count = Number.isSafeInteger(processes) ? Math.min(PROCESSES_MAX, Math.max(1, processes as number)) : 1;
    const team = startLocalTeam(count);
    team.onReport = (report: TeamReport) => sendLine(socket, report);
    sendLine(socket, { type: 'ready' });
    return team;
  }
}
