// Design, section 4: 100,000 cold topics must fit in 100 MB.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const BUDGET_BYTES = 100e6;

it('100,000 cold topics with a message each fit in 100 MB', async () => {
  const script = fileURLToPath(new URL('./cold-topics-memory.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script]);
  const { topics, payloadBytes, heapBytes, externalBytes, rssBytes } = JSON.parse(stdout) as Record<string, number>;
  const megabytes = (bytes: number | undefined) => `${(bytes! / 1e6).toFixed(1)} MB`;
  console.log(
    `${topics} cold topics, a payload of ${payloadBytes} bytes each: heap ${megabytes(heapBytes)} + external ` +
      `${megabytes(externalBytes)} = ${megabytes(heapBytes! + externalBytes!)}; RSS grew by ${megabytes(rssBytes)}`,
  );
  expect(topics).toBe(100_000);
  expect(heapBytes! + externalBytes!).toBeLessThan(BUDGET_BYTES);
}, 60_000);
