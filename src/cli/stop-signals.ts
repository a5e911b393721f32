/** Stop signals of a server: dealt with from the first line of the command on, long before there is anything to stop. */
import { describeFailure, EXIT_FAILURE } from './failure.js';

/** Ctrl-C, a supervisor, and the terminal that goes away. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What is to be done before the process ends; at first nothing. */
let stop: () => Promise<void> = async () => {};
let isStopping = false;

/** The first signal stops gracefully and ends with 0; a second one ends at once. */
export function catchStopSignals(): void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(EXIT_FAILURE);
    isStopping = true;
    console.error(`ringcast: ${signal}, stopping; once more to end at once`);
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`ringcast: ${describeFailure(error)}`);
        process.exit(EXIT_FAILURE);
      },
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}

/** From here on there is something to stop. */
export function stopBy(action: () => Promise<void>): void {
  stop = action;
}

/** A signal has come: what fails from here on fails because of it. */
export function hasStopSignal(): boolean {
  return isStopping;
}
