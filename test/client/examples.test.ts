// The examples in the client's documentation run as they are printed, in a process of their own.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '#src/index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENTED_URL = 'ws://127.0.0.1:8787/ws';

let engine: Engine;

beforeAll(async () => {
  engine = createEngine({ port: 0, lanes: 0 });
  await engine.start();
});
afterAll(() => engine.close());

/** The example in a source file's documentation. */
function exampleIn(file: string): string {
  const source = readFileSync(`${ROOT}src/client/${file}`, 'utf8');
  const examples = [...source.matchAll(/^ \* ```ts\n(.*?)^ \* ```$/gms)];
  expect(examples).toHaveLength(1);
  return examples[0][1].replaceAll(/^ \* ?/gm, '');
}

function run(code: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const module = code.replaceAll(DOCUMENTED_URL, engine.url);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', module], { cwd: ROOT });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ code: exitCode, ...output })));
}

describe('examples', () => {
  it('of connect()', async () => {
    const result = await run(exampleIn('client.ts'));
    expect(result).toEqual({ code: 0, stdout: expect.stringMatching(/^1 \{ price: 229\.1 \}\n$/), stderr: '' });
  });

  it('of Publisher', async () => {
    const example = exampleIn('publisher.ts');
    const prefix = `
      import { connect } from 'ringcast/client';
      import WebSocket from 'ws';
      const client = await connect('${DOCUMENTED_URL}', { WebSocket });`;
    const before = engine.topicStats('prices:AAPL')?.seq ?? 0;
    const result = await run(`${prefix}\n${example}\nawait client.close();`);
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(engine.topicStats('prices:AAPL')?.seq).toBe(before + 3);
  });
});
