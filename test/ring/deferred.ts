// A promise with its two ends outside (Promise.withResolvers is not in Node 20).

export interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export function deferred(): Deferred {
  let resolve: Deferred['resolve'] | undefined;
  let reject: Deferred['reject'] | undefined;
  const promise = new Promise<void>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  return { promise, resolve: resolve!, reject: reject! };
}
