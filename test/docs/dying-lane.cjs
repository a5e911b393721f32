// Preloaded into a process under test: each of its lanes throws at its n-th sleep, as a fault in a topic's code would.
const { isMainThread } = require('node:worker_threads');

const SLEEPS_BEFORE = 3;

if (!isMainThread) {
  const wait = Atomics.wait;
  let sleeps = 0;
  Atomics.wait = (...args) => {
    sleeps += 1;
    if (sleeps > SLEEPS_BEFORE) throw new Error('a fault in the lane');
    return wait(...args);
  };
}
