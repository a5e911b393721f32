// A server that may open few files: it says so, refuses instead of hanging, and does not spin.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { RawPeer, upgradeRequest } from '../support/raw-peer.js';
import { until } from '../support/until.js';

const FILES = 150;
const CHILD = new URL('../support/few-files.mjs', import.meta.url).pathname;

interface Report {
  warning?: string;
  port?: number;
  taken?: string | null;
  busyMs?: number;
  connections?: number;
}

let child: ChildProcess | null = null;
afterEach(() => void child?.kill('SIGKILL'));

/** Peers that were accepted, and those that were turned away. */
class Peers {
  readonly all: RawPeer[] = [];

  get open(): number {
    return this.all.filter(({ received }) => received.includes('101 Switching')).length;
  }

  get refused(): number {
    return this.all.filter(({ isClosed }) => isClosed).length;
  }

  async add(url: string, count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const peer = await RawPeer.connect(url);
        peer.socket.write(upgradeRequest(url, 'ringcast.v1.json'));
        this.all.push(peer);
      }),
    );
  }

  async settled(): Promise<void> {
    await until(
      () => this.open + this.refused >= this.all.length,
      () => `all are let in or refused: ${this.open} + ${this.refused} of ${this.all.length}`,
    );
  }
}

async function start(): Promise<{ url: string; reports: Report[]; order: (text: string) => Promise<Report> }> {
  const command = `ulimit -n ${FILES} && exec "${process.execPath}" "${CHILD}"`;
  const process_ = spawn('sh', ['-c', command], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child = process_;
  const reports: Report[] = [];
  process_.on('message', (report: Report) => reports.push(report));
  await until(() => reports.some(({ port }) => port !== undefined), 'it listens');
  const port = reports.find((report) => report.port !== undefined)?.port;
  const order = async (text: string): Promise<Report> => {
    const isAnswer = ({ taken, busyMs }: Report): boolean => taken !== undefined || busyMs !== undefined;
    process_.send(text);
    for (;;) {
      const [report] = (await once(process_, 'message')) as [Report];
      if (isAnswer(report)) return report;
    }
  };
  return { url: `ws://127.0.0.1:${port}/ws`, reports, order };
}

const isLinux = existsSync('/proc/self/limits');
if (!isLinux) console.log('tests of the file limit are skipped: this system does not tell it');

describe.skipIf(!isLinux)('a server that may open few files', () => {
  it('says so at the start and when it refuses, answers everybody, and rests', async () => {
    const { url, reports, order } = await start();
    const warnings = (): string[] => reports.flatMap(({ warning }) => warning ?? []);
    await until(() => warnings().length === 1, 'the warning at the start');
    expect(warnings()[0]).toMatch(new RegExp(`may open ${FILES} files only.*more than ${FILES - 64} connections`));
    const peers = new Peers();
    await peers.add(url, FILES);
    await peers.settled();
    expect(peers.open).toBeGreaterThan(FILES / 2);
    expect(peers.refused).toBeGreaterThan(10);
    const { busyMs, connections } = await order('measure');
    expect(busyMs).toBeLessThan(500);
    expect(connections).toBe(peers.open);
    expect(warnings().slice(1)).toEqual([expect.stringMatching(/^connections are refused.*ulimit -n/)]);
    // Room again for as many as leave.
    const [first] = peers.all.filter(({ isClosed }) => !isClosed);
    first?.destroy();
    const more = new Peers();
    await until(() => first?.isClosed === true, 'one has left');
    for (let n = 0; n < 100 && more.open === 0; n++) {
      await more.add(url, 1);
      await more.settled();
    }
    expect(more.open).toBe(1);
  });

  it('turns people away also when others have taken every file, and goes on when they give them back', async () => {
    const { url, order } = await start();
    const staying = new Peers();
    await staying.add(url, 3);
    await staying.settled();
    expect(await order('take all files')).toEqual({ taken: 'EMFILE' });
    const late = new Peers();
    await late.add(url, 20);
    await until(() => late.refused === 20, 'all are turned away');
    expect((await order('measure')).busyMs).toBeLessThan(500);
    expect(staying.open - staying.refused).toBe(3);
    expect(await order('give them back')).toEqual({ taken: null });
    const last = new Peers();
    await last.add(url, 1);
    await last.settled();
    expect(last.open).toBe(1);
  });
});
