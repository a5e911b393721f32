export type Fault = 'throw' | 'exit' | 'hang' | 'starve' | 'outOfMemory';

export declare const KILLERS: { readonly throw: string; readonly hang: string };

export declare class FaultSwitch {
  constructor(memory?: SharedArrayBuffer);
  readonly memory: SharedArrayBuffer;
  readonly committed: number;
  readonly committedAtMs: number;
  ask(kind: Fault, sites?: number, durationMs?: number): void;
}
