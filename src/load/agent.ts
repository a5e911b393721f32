/** The agent's side: waits for a coordinator, and generates the load that it asks for with processes of this machine. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { ALIVE_MS, isProof, onLines, SILENCE_MAX_MS, sendLine, WIRE_VERSION } from './agent-wire.js';
import { startLocalTeam } from './local-team.js';
import type { Team, TeamCommand, TeamReport } from './team.js';

/** What a coordinator may ask for; the rest of a command is checked by what it does. */
const COMMANDS = new Set<unknown>(['start', 'probe', 'go', 'stop', 'verify']);
const PROCESSES_MAX = 256;

export interface AgentOptions {
  readonly host: string;
  readonly port: number;
  /** Null: whoever connects may give orders; only where nobody else can. */
  readonly secret: string | null;
  readonly print: (line: string) => void;
}

/** Writer and reader: one thread. One run at a time. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #server: Server;
  #team: Team | null = null;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
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
    const { secret, print } = this.#options;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const nonce = randomBytes(16).toString('hex');
    let team: Team | null = null;
    let isRefused = false;
    const alive = setInterval(() => sendLine(socket, { type: 'alive' }), ALIVE_MS);
    const refuse = (error: string): void => {
      isRefused = true;
      print(`${peer}: refused, ${error}`);
      sendLine(socket, { type: 'failed', error });
      socket.end();
    };
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy());
    socket.on('error', () => {}); // its close follows
    socket.on('close', () => {
      clearInterval(alive);
      if (team === null) return;
      team.close();
      this.#team = team = null;
      print(`${peer}: over`);
    });
    onLines(
      socket,
      (value) => {
        if (isRefused) return;
        if (team === null) {
          if (value.ringcastLoad !== WIRE_VERSION) return refuse(`it speaks another version than ${WIRE_VERSION}`);
          if (secret !== null && !isProof(value.proof, secret, nonce)) return refuse('the secret is wrong');
          if (this.#team !== null) return refuse('busy with another run');
          team = this.#team = this.#start(socket, value.processes);
          print(`${peer}: a run begins`);
        } else if (COMMANDS.has(value.type)) {
          team.send(value as unknown as TeamCommand);
        }
      },
      () => refuse('it sent something that is not JSON'),
    );
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
