// Command line of the benchmark.

import { parseArgs } from 'node:util';
import type { Suite } from './suite.js';

export interface Options {
  scenarios: string[];
  peers: string[] | null;
  runs: number;
  seconds: number | null;
  smoke: boolean;
  jsonFile: string | null;
  markdown: boolean;
  profile: 'server' | 'generator' | null;
}

const namesOf = ({ scenarios }: Suite): string[] => scenarios.map(({ name }) => name);

export function helpOf(suite: Suite): string {
  return `npm run bench:${suite.name} -- [options] [scenario …]

  scenarios: ${namesOf(suite).join(', ')} (default: all)

  --peers a,b            only these servers (files of bench/peers)
  --runs n               runs of everything; medians and spread are reported (default 1)
  --seconds n            length of a measured phase (default: the scenario's own)
  --smoke                tiny sizes, seconds in all: checks deliveries, its figures mean nothing;
                         only ${suite.subject}, unless --peers names others
  --json file            writes every run and every bar
  --markdown             prints the table as Markdown
  --profile server|generator   writes CPU profiles into bench/results`;
}

function positive(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} wants a number above 0, not ${text}`);
  return value;
}

/** null: help was asked for. */
export function readOptions(suite: Suite, args: string[]): Options | null {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      peers: { type: 'string' },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const unknown = positionals.filter((name) => !namesOf(suite).includes(name));
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}\n\n${helpOf(suite)}`);
  const { profile } = values;
  if (profile !== undefined && profile !== 'server' && profile !== 'generator') {
    throw new Error('--profile wants server or generator');
  }
  return {
    scenarios: positionals.length > 0 ? positionals : namesOf(suite),
    peers: values.peers?.split(',') ?? (values.smoke ? [suite.subject] : null),
    runs: Math.round(positive(values.runs, 'runs') ?? 1),
    seconds: positive(values.seconds, 'seconds'),
    smoke: values.smoke,
    jsonFile: values.json ?? null,
    markdown: values.markdown,
    profile: profile ?? null,
  };
}
