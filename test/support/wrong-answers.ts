// Everything that a callback of an application can do instead of what it should, and whether that is a fault.
// biome-ignore-all lint/suspicious/noThenProperty: thenables of every make are what is tried

const failure = new Error('the application failed');

export interface WrongAnswer {
  readonly what: string;
  readonly isFault: boolean;
  readonly answer: () => unknown;
}

const throwing = (thrown: unknown) => () => {
  throw thrown;
};

export const WRONG_ANSWERS: readonly WrongAnswer[] = [
  { what: 'throws', isFault: true, answer: throwing(failure) },
  { what: 'throws null', isFault: true, answer: throwing(null) },
  { what: 'throws what throws when it is shown', isFault: true, answer: throwing(unspeakable()) },
  { what: 'rejects', isFault: true, answer: async () => Promise.reject(failure) },
  { what: 'rejects with undefined', isFault: true, answer: () => Promise.reject(undefined) },
  {
    what: 'answers a thenable that rejects',
    isFault: true,
    answer: () => ({ then: (_: unknown, no: (fault: unknown) => void) => no(failure) }),
  },
  { what: 'answers a thenable that throws', isFault: true, answer: () => ({ then: throwing(failure) }) },
  {
    what: 'answers what throws when asked for `then`',
    isFault: true,
    answer: () => Object.defineProperty({}, 'then', { get: throwing(failure) }),
  },
  {
    what: 'answers a promise whose `then` throws',
    isFault: true,
    answer: () => Object.assign(Promise.resolve(), { then: throwing(failure) }),
  },
  { what: 'answers a promise that never settles', isFault: false, answer: () => new Promise(() => {}) },
  { what: 'answers null', isFault: false, answer: () => null },
  { what: 'answers 0', isFault: false, answer: () => 0 },
  { what: "answers ''", isFault: false, answer: () => '' },
  { what: 'answers an object with a `then` that is no function', isFault: false, answer: () => ({ then: 1 }) },
];

function unspeakable(): unknown {
  return new Proxy(new Error('?'), {
    get: throwing(failure),
    getPrototypeOf: throwing(failure),
    ownKeys: throwing(failure),
  });
}
