// What the suite reads from the system: socket memory, open files; and what it says when there is too little of it.
import { describe, expect, it } from 'vitest';
import { listedSocketBytes, slabBytes, tcpBufferPages } from '../../../bench/support/kernel-sockets.js';
import { oneCoreRemark } from '../../../bench/support/machine.js';
import { filesNeeded, fitted, moreFilesAdvice, openFilesMax } from '../../../bench/support/open-files.js';
import type { Variant } from '../../../bench/support/scenario.js';

const SOCKSTAT = `sockets: used 30123
TCP: inuse 30010 orphan 2 tw 17 alloc 30012 mem 4711
UDP: inuse 3 mem 2
FRAG: inuse 0 memory 0
`;

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95000                95000                processes
Max open files            1024                 20000                files
Max locked memory         8388608              8388608              bytes
`;

const SS = `ESTAB 0      0      127.0.0.1:8787 127.1.2.3:40000
	 skmem:(r0,rb131072,t0,tb2626560,f4096,w0,o0,bl0,d0)
ESTAB 0      87040  127.0.0.1:8787 127.1.2.3:40001
	 skmem:(r1280,rb131072,t512,tb2626560,f768,w91136,o64,bl32,d5)
`;

describe('kernel memory of sockets', () => {
  it('is the TCP line of sockstat, in pages', () => {
    expect(tcpBufferPages(SOCKSTAT)).toBe(4711);
    expect(tcpBufferPages('sockets: used 3\n')).toBeNull();
  });

  it('is the sum of what ss lists, without what it lists twice', () => {
    expect(listedSocketBytes(SS)).toBe(4096 + 1280 + 768 + 91_136 + 64 + 32);
    expect(listedSocketBytes('')).toBe(0);
  });

  it('has its objects in the slab', () => {
    expect(slabBytes('MemFree:  5 kB\nSlab:             138164 kB\nSReclaimable: 9 kB\n')).toBe(138_164 * 1024);
    expect(slabBytes('MemFree:  5 kB\n')).toBeNull();
  });
});

describe('open files', () => {
  const server = { topics: { hot: 1, cold: 0 }, payloadBytes: 64, maxDelayMs: 'auto' as const };
  const plain: Variant = { name: 'many', peers: [], server, connections: 15_000, publishers: 1 };
  const withCompanion: Variant = { ...plain, connections: 100, companion: { connections: 10_000, publishers: 1 } };

  it('are bounded by the hard limit, to which Node.js raises the soft one', () => {
    expect(openFilesMax(LIMITS)).toBe(20_000);
    expect(openFilesMax(LIMITS.replace('1024                 20000', 'unlimited            unlimited'))).toBeNull();
    expect(openFilesMax('')).toBeNull();
  });

  it('are one for each connection in the server, whoever opens it', () => {
    expect(filesNeeded(plain)).toBe(15_001 + 64);
    expect(filesNeeded(withCompanion)).toBe(10_102 + 64);
  });

  it.each([65, 100, 1024, 4096, 15_064, 15_065, 20_000])('fits connections into %i', (filesMax) => {
    const one = fitted(plain, filesMax);
    expect(one.connections).toBe(Math.max(1, Math.min(15_000, filesMax - 65)));
    const two = fitted(withCompanion, filesMax);
    expect(two.connections).toBe(100);
    expect(two.companion!.connections).toBe(Math.max(1, Math.min(10_000, filesMax - 166)));
  });

  it('that are too few are told with ways to raise their number', () => {
    const text = moreFilesAdvice(15_065);
    expect(text).toContain('ulimit -n 15065');
    expect(text).toContain('--allow-fewer');
  });
});

it('one core is told, more are not', () => {
  expect(oneCoreRemark(1).join()).toContain('one core');
  expect(oneCoreRemark(2)).toEqual([]);
});
