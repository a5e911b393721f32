/** PROTOCOL.md, the golden vectors, messages.ts and errors.ts say the same, in both directions. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '#src/errors.js';
import * as messages from '#src/protocol/messages.js';
import { FRAMES, GAP_REASONS, OP, OPTIONS, type OpName, type OptionSpec } from '#src/protocol/messages.js';
import { vectors } from './support.js';

const page = readFileSync(new URL('../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');
const allVectors = [...vectors.client, ...vectors.server, ...vectors.events];

/** Fenced blocks of one language: the name behind it, and the content. */
function blocks(language: string): { name: string; body: string }[] {
  const pattern = new RegExp(`^\`\`\`${language} (\\S+)\\n([^]*?)\\n\`\`\`$`, 'gm');
  return [...page.matchAll(pattern)].map(([, name, body]) => ({ name: name!, body: body! }));
}

/** Rows of every table under the heading (up to the next one), cells without backticks. */
function rowsUnder(heading: string): string[][] {
  const start = page.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`PROTOCOL.md has no heading "${heading}"`);
  const next = page.slice(start + heading.length + 2).search(/\n#+ /);
  const section = next < 0 ? page.slice(start) : page.slice(start, start + heading.length + 2 + next);
  const rows = section.split('\n').filter((line) => /^\| [^-]/.test(line));
  const cellsOf = (row: string) => row.slice(2, -2).replaceAll('`', '').split(' | ');
  return rows.map((row) => cellsOf(row).map((cell) => cell.trim())).slice(1);
}

function vectorNamed(name: string) {
  const vector = allVectors.find((candidate) => candidate.name === name);
  if (vector === undefined) throw new Error(`PROTOCOL.md shows "${name}", which is no golden vector`);
  return vector;
}

describe('examples', () => {
  it.each(blocks('hex'))('hex $name is the golden vector', ({ name, body }) => {
    const parts = name.split('+').map((part) => vectorNamed(part).msgpack);
    const hex = body.split('\n').map((line) => /^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2}|$)/.exec(line)?.[1]);
    expect(hex.join(' ')).toBe(parts.join(' '));
  });

  it.each(blocks('json'))('json $name is the golden vector', ({ name, body }) => {
    // The page may spread an object over lines; what counts is its compact form, the order of its fields included.
    expect(JSON.stringify(JSON.parse(body))).toBe(vectorNamed(name).json);
  });

  it('every operation in use has one in each codec', () => {
    const inUse = (Object.keys(FRAMES) as OpName[]).filter((name) => FRAMES[name].json !== null).sort();
    for (const language of ['hex', 'json']) {
      const shown = blocks(language).flatMap(({ name }) => name.split('+').map((part) => vectorNamed(part).frame));
      expect([...new Set(shown)].sort()).toEqual(inUse);
    }
  });
});

describe('tables', () => {
  it('operations', () => {
    const expected = (Object.keys(OP) as OpName[]).map((name) => {
      const { fields, json } = FRAMES[name];
      return [String(OP[name]), name, OP[name] < 32 ? 'client' : 'server', fields.join(', '), json ?? '–'];
    });
    expect(rowsUnder('## Frames')).toEqual(expected);
  });

  it('errors', () => {
    const expected = Object.entries(ERROR_TABLE).map(([code, { httpStatus, closeCode, retry, meaning }]) => {
      return [code, String(httpStatus), String(closeCode ?? '–'), retry ? 'yes' : 'no', meaning];
    });
    expect(rowsUnder('## Errors')).toEqual(expected);
  });

  it('close codes', () => {
    const used = Object.values(ERROR_TABLE).flatMap(({ closeCode }) => (closeCode === null ? [] : [closeCode]));
    const documented = rowsUnder('## Close codes').map(([code]) => Number(code));
    expect(documented).toEqual([...new Set([1000, ...used])].sort((a, b) => a - b));
  });

  it.each(['SUBSCRIBE', 'UPDATE', 'PUBLISH', 'HISTORY'] as const)('options of %s', (name) => {
    const expected = Object.entries<OptionSpec>(OPTIONS[name]).map(([key, spec]) => [
      key,
      spec.json ?? '–',
      form(spec),
    ]);
    expect(rowsUnder(`### ${name}`).map((row) => row.slice(0, 3))).toEqual(expected);
    expect(rowsUnder(`### ${name}`).every((row) => row[3].length > 10)).toBe(true);
  });

  it('the options of CONNECT stand in its form', () => {
    expect(page).toContain(`\`[1, id, {${Object.keys(OPTIONS.CONNECT).join(', ')}}]\``);
  });

  it('gap reasons', () => {
    expect(rowsUnder('### GAP').map(([reason]) => reason)).toEqual([...GAP_REASONS]);
  });

  it('limits', () => {
    const limits = Object.fromEntries(rowsUnder('## Limits') as [string, string][]);
    const expected: Record<string, number> = {
      'topic name': messages.TOPIC_MAX_BYTES,
      'request id': messages.REQUEST_ID_MAX_BYTES,
      'message id': messages.MESSAGE_ID_MAX_BYTES,
      'client id': messages.CLIENT_ID_MAX_BYTES,
      'durable name': messages.DURABLE_MAX_BYTES,
      token: messages.TOKEN_MAX_BYTES,
      'nesting of a payload': messages.PAYLOAD_NESTING_MAX,
      'nesting of a frame': messages.NESTING_MAX,
      'bad frames in one message': messages.BAD_FRAMES_PER_MESSAGE_MAX,
    };
    for (const [name, value] of Object.entries(expected))
      expect(limits[name], name).toMatch(new RegExp(`^${value}\\b`));
  });

  it('subprotocols', () => {
    const names = rowsUnder('## Connecting').map(([name]) => name);
    expect(names).toEqual([messages.SUBPROTOCOL_MSGPACK, messages.SUBPROTOCOL_JSON]);
  });

  it('every operation in use has a section', () => {
    const inUse = (Object.keys(FRAMES) as OpName[]).filter((name) => FRAMES[name].json !== null);
    for (const name of inUse) expect(page).toContain(`\n### ${name}\n`);
  });
});

function form(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'string':
      return `string, 1–${spec.maxBytes} bytes`;
    case 'choice':
      return spec.choices.join(', ');
    case 'boolean':
      return 'boolean';
    case 'strings':
      return `list of 1–${spec.maxCount} strings, 1–${spec.maxBytes} bytes`;
    case 'position':
      return `{epoch: string, 1–${messages.EPOCH_MAX_BYTES} bytes, seq: integer, 0–2^53−1}`;
    default:
      return `${spec.kind}, ${spec.min ?? 0}–${spec.max === Number.MAX_SAFE_INTEGER ? '2^53−1' : spec.max}`;
  }
}
