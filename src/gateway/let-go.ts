/** Letting go: uWebSockets.js keeps an application's handlers until the process ends, also when the application is closed. */

type AppHandler = (first: unknown, second: unknown, third: unknown) => void;

/**
 * Gives out handlers through which nothing can be reached any more once they are released: what stays behind are small
 * functions that do nothing. Without it every closed engine would stay in memory.
 */
export class Releasable {
  readonly #releases: (() => void)[] = [];

  /** Of up to three arguments. */
  handler<Handle>(handle: Handle): Handle {
    const { handler, release } = releasable(handle as AppHandler);
    this.#releases.push(release);
    return handler as Handle;
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }
}

/** A function of its own: closures of one scope keep alive what any of them refers to. */
function releasable(handle: AppHandler): { handler: AppHandler; release: () => void } {
  let held: AppHandler | null = handle;
  return {
    // Hot path: three arguments by name, because gathering them would make an array per message.
    handler: (first, second, third) => held?.(first, second, third),
    release: () => {
      held = null;
    },
  };
}
