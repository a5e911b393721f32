// The load generators of one run: the measuring one and, where it asks for it, a companion. This process starts them and
// relays what they and the server say to each other.

import type { ChildProcess } from 'node:child_process';
import { endChild, startChild } from './children.js';
import type { GeneratorJob, GeneratorMessage, ServerMessage, ToGenerator, ToServer } from './process-port.js';
import type { Outcome } from './results.js';
import type { Turn } from './turns.js';

/** The companion's source addresses lie half of all ranges away from those of the measuring process. */
const COMPANION_SALT = 31_250;

/** A child that ended meanwhile is reported by its exit. */
const ignoreGone = (): void => {};

export function tell(child: ChildProcess, message: ToServer | ToGenerator): void {
  if (child.connected) child.send(message, ignoreGone);
}

/** Resolves with the outcome of the measuring process; rejects as soon as any process of the run failed or ended. */
export async function generate(
  job: GeneratorJob,
  server: ChildProcess,
  nodeFlags: string[],
  turn: Turn,
): Promise<Outcome> {
  const generators: ChildProcess[] = [];
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      /** Who waits for a reading of the server. It answers in turn. */
      const asking: ChildProcess[] = [];
      const start = (part: GeneratorJob, onMessage: (message: GeneratorMessage) => void): ChildProcess => {
        const generator = startChild('./generator-process.js', [JSON.stringify(part)], nodeFlags);
        generators.push(generator);
        generator.once('exit', (code, signal) => reject(new Error(`the ${part.part} ended: ${code ?? signal}`)));
        generator.on('message', (message: GeneratorMessage) => {
          if (message.type === 'failed') reject(new Error(message.error));
          else if (message.type !== 'sample') onMessage(message);
          else {
            asking.push(generator);
            tell(server, message);
          }
        });
        return generator;
      };
      server.once('exit', (code, signal) => reject(new Error(`the server ended: ${code ?? signal}`)));
      server.on('message', (message: ServerMessage) => {
        if (message.type === 'sample') tell(asking.shift()!, message);
        else if (message.type === 'obeyed') tell(measuring, message);
      });

      let companion: ChildProcess | null = null;
      const measuring = start(job, (message) => {
        if (message.type === 'outcome') resolve(message.outcome);
        else if (message.type === 'publish') tell(companion!, message);
        else if (message.type === 'order') tell(server, message);
        else if (message.type === 'turn') void turn.take().then(() => tell(measuring, message));
        else if (message.type === 'turn-over') turn.end();
        else if (message.type === 'start-companion') {
          const part: GeneratorJob = { ...job, part: 'companion', addressSalt: job.addressSalt + COMPANION_SALT };
          companion = start(part, (answer) => {
            if (answer.type === 'ready' || answer.type === 'outcome') tell(measuring, answer);
          });
        }
      });
    });
  } finally {
    await Promise.all(generators.map((generator) => endChild(generator, () => generator.disconnect())));
  }
}
