/** Engine lines: what a running engine has to tell its operator, one line each. */
import type { Engine, LaneEvent, PoisonEvent } from '../index.js';
import { oneLine } from './failure.js';

/** Tells the engine's warnings, and what happens to its lanes. */
export function tellEngineEvents(engine: Engine, print: (line: string) => void): void {
  const tell = (line: string): void => print(`ringcast: ${oneLine(line)}`);
  engine.on('warning', tell);
  engine.on('lane', (event) => tell(laneLine(event)));
  engine.on('poison', (event) => tell(poisonLine(event)));
}

export function laneLine({ lane, kind, recoveryMs, fault }: LaneEvent): string {
  switch (kind) {
    case 'died':
      return `lane ${lane} died and is replaced: ${reasonOf(fault)}`;
    case 'stalled':
      return `lane ${lane} did not move for laneStallMs; it was ended and is replaced`;
    case 'recovered':
      return `lane ${lane} goes on after ${Math.ceil(recoveryMs)} ms`;
    case 'degraded':
      return `lane ${lane} is given up, its topics move to the accept thread: ${reasonOf(fault)}`;
  }
}

export function poisonLine({ topic, lane, payload }: PoisonEvent): string {
  const message = `a message of ${payload.length} bytes to ${JSON.stringify(topic)}`;
  return `${message} was put aside: lane ${lane} died of it again and again`;
}

function reasonOf(fault: unknown): string {
  return oneLine(fault instanceof Error ? fault.message : String(fault));
}
