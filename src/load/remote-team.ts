/** A machine behind an agent, as the coordinator sees it. */
import { connect, type Socket } from 'node:net';
import {
  ALIVE_MS,
  LINE_MAX_CHARACTERS,
  onLines,
  proofOf,
  SILENCE_MAX_MS,
  sendLine,
  WIRE_VERSION,
} from './agent-wire.js';
import { LoadError } from './explain.js';
import type { Team, TeamCommand, TeamReport } from './team.js';

const CONNECT_MAX_MS = 10_000;
const REPORTS = new Set<unknown>(['opened', 'probed', 'tick', 'done', 'result', 'failed']);

export interface AgentAddress {
  readonly host: string;
  readonly port: number;
}

/** Writer and reader: one thread. */
class RemoteTeam implements Team {
  readonly name: string;
  onReport: (report: TeamReport) => void = () => {};
  readonly #socket: Socket;
  readonly #alive: NodeJS.Timeout;

  constructor(name: string, socket: Socket) {
    this.name = name;
    this.#socket = socket;
    this.#alive = setInterval(() => sendLine(socket, { type: 'alive' }), ALIVE_MS);
  }

  send(command: TeamCommand): void {
    sendLine(this.#socket, command);
  }

  close(): void {
    this.onReport = () => {};
    clearInterval(this.#alive);
    this.#socket.destroy();
  }
}

/** Connects to an agent. Throws LoadError when it is not there, busy, or does not know the secret. */
export function connectAgent(address: AgentAddress, secret: string, processes: number): Promise<Team> {
  const name = `agent ${address.host}:${address.port}`;
  const socket = connect(address);
  const team = new RemoteTeam(name, socket);
  return new Promise((resolve, reject) => {
    let isReady = false;
    const fail = (error: string): void => {
      if (isReady) {
        team.onReport({ type: 'failed', error });
        return;
      }
      clearTimeout(timer);
      team.close();
      reject(new LoadError(`${name}: ${error}`));
    };
    const timer = setTimeout(() => fail('it does not answer in time'), CONNECT_MAX_MS);
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MAX_MS, () => fail(`it has not been heard of for ${SILENCE_MAX_MS / 1000} s`));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const hint = error.code === 'ECONNREFUSED' ? '. Start one there with "ringcast load-agent --listen"' : '';
      fail(`${error.message}${hint}`);
    });
    socket.on('close', () => fail('it closed the connection'));
    const onObject = (value: Record<string, unknown>): void => {
      if (isReady) {
        if (REPORTS.has(value.type)) team.onReport(value as unknown as TeamReport);
      } else if (value.type === 'ready') {
        isReady = true;
        clearTimeout(timer);
        resolve(team);
      } else if (value.type === 'failed') {
        fail(String(value.error));
      } else if (value.ringcastLoad === WIRE_VERSION) {
        sendLine(socket, { ringcastLoad: WIRE_VERSION, proof: proofOf(secret, String(value.nonce)), processes });
      } else if (value.type !== 'alive') {
        fail(`it is no ringcast load-agent of version ${WIRE_VERSION}`);
      }
    };
    onLines(socket, {
      maxCharacters: () => LINE_MAX_CHARACTERS,
      onObject,
      onBad: () => fail('it is no ringcast load-agent'),
    });
  });
}
