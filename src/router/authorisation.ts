/** Authorisation: asks the application whether a connection may do what it wants to. */

import { RingcastError } from '../errors.js';
import type { RequestId } from '../protocol/messages.js';
import type { Batch } from './batch.js';
import { type HookCalls, permission } from './hook-calls.js';
import type { AuthorizeRequest, Hooks } from './hooks.js';
import type { Session } from './session.js';

/** Writer and reader: the accept thread. */
export class Authorisation {
  readonly #hooks: Hooks;
  readonly #calls: HookCalls;
  readonly #batch: Batch;

  constructor(hooks: Hooks, calls: HookCalls, batch: Batch) {
    this.#hooks = hooks;
    this.#calls = calls;
    this.#batch = batch;
  }

  /** Whether the hook lets the connection. A promise when the hook gave one; it does not reject. */
  allows(session: Session, action: AuthorizeRequest['action'], topic: string): boolean | Promise<boolean> {
    const verdict = this.#ask(session, action, topic);
    return verdict instanceof Promise ? verdict.then((isAllowed) => isAllowed === true) : verdict === true;
  }

  #ask(session: Session, action: AuthorizeRequest['action'], topic: string): boolean | null | Promise<boolean | null> {
    const { authorize } = this.#hooks;
    if (authorize === undefined) return true;
    const ask = (): unknown => authorize.call(this.#hooks, { ...session.info, action, topic });
    return this.#calls.ask('authorize', ask, permission, false);
  }

  /** Runs `act` if the hook lets the connection; answers FORBIDDEN otherwise. A promise when the hook gave one. */
  check(
    session: Session,
    action: AuthorizeRequest['action'],
    topic: string,
    id: RequestId,
    act: () => void,
  ): Promise<void> | undefined {
    const settle = (isAllowed: boolean | null): void => {
      if (session.consumer.isClosed) return;
      if (isAllowed === true) act();
      else if (isAllowed === null) session.refuse(id, new RingcastError('INTERNAL', 'the authorisation failed'));
      else session.refuse(id, new RingcastError('FORBIDDEN', `not allowed to ${action}: ${topic}`));
    };
    const verdict = this.#ask(session, action, topic);
    if (!(verdict instanceof Promise)) {
      settle(verdict);
      return undefined;
    }
    return verdict.then((isAllowed) => {
      // A batch of its own: the time of the one that brought the frame lies before messages accepted meanwhile.
      this.#batch.begin();
      settle(isAllowed);
      if (!session.consumer.isClosed) this.#batch.end(session);
    });
  }
}
