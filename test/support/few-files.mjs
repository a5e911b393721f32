// A process with a low limit of open files: an engine, whose process takes all other files when it is told to.
import { closeSync, openSync } from 'node:fs';
import { createEngine } from '#src/index.js';

const engine = createEngine({ port: 0, lanes: 0, heartbeatMs: 1000 });
engine.on('warning', (text) => process.send({ warning: text }));
await engine.start();
process.send({ port: engine.port });

const taken = [];
process.on('message', (order) => {
  if (order === 'take all files') {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (fault) {
      process.send({ taken: fault.code });
    }
  } else if (order === 'give them back') {
    for (const file of taken.splice(0)) closeSync(file);
    process.send({ taken: null });
  } else if (order === 'measure') {
    const before = process.cpuUsage();
    setTimeout(() => {
      const { user, system } = process.cpuUsage(before);
      process.send({ busyMs: (user + system) / 1000, connections: engine.stats().connections });
    }, 1000);
  }
});
process.on('disconnect', () => process.exit());
