// Reading recordings: lines, what they mean, and files in both forms.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecording, parseLine } from '#src/cli/recording.js';

describe('a line', () => {
  it('becomes a message of topic market:stream, whole', () => {
    expect(parseLine('1723161255088176367 usdm {"stream":"btcusdt@trade","data":{"p":"61800.30"}}', 1)).toEqual({
      lineNumber: 1,
      timeMs: 1723161255088.1763,
      topic: 'usdm:btcusdt@trade',
      payload: { stream: 'btcusdt@trade', data: { p: '61800.30' } },
      textCharacters: 50,
    });
  });

  it('keeps the digits of large integers', () => {
    expect(parseLine('1 spot {"id":9007199254740993}', 1)).toMatchObject({ payload: { id: 9007199254740993n } });
  });

  it.each(['{"lastUpdateId":1,"bids":[]}', '{"stream":5}', '[1, 2]', 'null', '"stream"'])(
    'without a stream becomes a snapshot: %s',
    (json) =>
      expect(parseLine(`1 spot ${json}`, 1)).toMatchObject({ topic: 'spot:snapshot', payload: JSON.parse(json) }),
  );

  it.each([
    ['', /expected "<nanoseconds> <market> <json>"/],
    ['1723161255088176367', /expected/],
    ['1723161255088176367 spot', /expected/],
    ['1723161255088176367  {}', /expected/],
    [' spot {}', /expected/],
    ['17231612550881763.7 spot {}', /the time is not a number of nanoseconds: 17231612550881763\.7/],
    ['-1 spot {}', /the time is not/],
    ['1 spot {', /the message is not JSON/],
    ['1 spot ', /the message is not JSON/],
    ['1 spot {} {}', /the message is not JSON/],
  ])('that is bad is told with its number: %j', (line, problem) => {
    expect(parseLine(line, 17)).toEqual({ lineNumber: 17, problem: expect.stringMatching(problem) });
  });
});

describe('a file', () => {
  let folder: string;
  const longLine = `1 spot "${'é'.repeat(300_000)}"`;
  const text = `first\n\n${longLine}\nlast without line end`;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ringcast-recording-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function read(name: string, content: string | Uint8Array): Promise<string[]> {
    const file = path.join(folder, name);
    await writeFile(file, content);
    const recording = await openRecording(file);
    const lines: string[] = [];
    for await (const group of recording.lines()) lines.push(...group);
    expect(recording.bytesRead()).toBe(recording.bytesTotal);
    return lines;
  }

  it('gives its lines, whatever the chunks cut through', async () => {
    expect(await read('plain.ndjson', text)).toEqual(text.split('\n'));
  });

  it('is decompressed when its name says gzip, or its first bytes', async () => {
    expect(await read('packed.ndjson.gz', gzipSync(text))).toEqual(text.split('\n'));
    expect(await read('packed.ndjson', gzipSync(text))).toEqual(text.split('\n'));
  });

  it('may be empty', async () => {
    expect(await read('empty', '')).toEqual([]);
  });

  it('that is damaged rejects', async () => {
    await expect(read('damaged.gz', gzipSync(text).subarray(0, 100))).rejects.toThrow(/unexpected end of file/);
    await expect(read('false.gz', text)).rejects.toThrow(/incorrect header/);
  });

  it('without line ends stays bounded: a line of 16 million characters is cut off', async () => {
    const lines = await read('endless', 'x'.repeat(17 * 1024 * 1024));
    expect(lines[0]).toBe('x'.repeat(80));
    expect(lines.length).toBe(2);
  });
});
