// ringcast with one lane, in a process of its own. Prints its address; ends with its parent.

import { createEngine } from '../../dist/index.js';

const engine = createEngine({ port: 0, lanes: 1, topics: [{ match: '*', home: 'hot' }] });
await engine.start();
process.send!(engine.url);
process.on('disconnect', () => process.exit(0));
