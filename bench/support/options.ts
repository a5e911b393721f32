// Command line of the benchmark.

import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { namedScenarios, type Suite } from './suite.js';

export interface Options {
  scenarios: string[];
  peers: string[] | null;
  runs: number;
  seconds: number | null;
  smoke: boolean;
  jsonFile: string | null;
  /** A page with plots, see bench/report. */
  htmlFile: string | null;
  markdown: boolean;
  profile: 'server' | 'generator' | null;
  /** Run with fewer connections where too few open files are allowed. */
  allowFewer: boolean;
  recordingFile: string;
}

/** Beside the repository, where there is one. */
const RECORDING_FILE = '../shared/data/binance-20240808.ndjson.gz';
const RECORDING_VARIABLE = 'RINGCAST_BENCH_RECORDING';

const namesOf = ({ scenarios }: Suite): string[] => scenarios.map(({ name }) => name);

export function helpOf(suite: Suite): string {
  return `npm run bench:${suite.name} -- [options] [scenario …]

  scenarios: ${namesOf(suite).join(', ')}
${groupLines(suite)}

  --peers a,b            only these servers (files of bench/peers), where they can do what a scenario does; all: every one
  --runs n               runs of everything; medians and spread are reported (default 1)
  --seconds n            length of a measured phase (default: the scenario's own)
  --smoke                tiny sizes, a minute in all: checks deliveries, its figures mean nothing;
                         every scenario, and only ${suite.subject}, unless named otherwise
  --json file            writes every run and every bar
  --html file            writes a page with plots, bars and all numbers
  --markdown             prints the table as Markdown
  --profile server|generator   writes CPU profiles into bench/results
  --allow-fewer          fewer connections where the limit of open files wants it, instead of leaving the scenario out
  --data file            recorded market data (default: $${RECORDING_VARIABLE}, or ${RECORDING_FILE})`;
}

function groupLines({ groups = {} }: Suite): string {
  const lines = Object.entries(groups).map(([name, scenarios], index) => {
    const members = scenarios.map((scenario) => scenario.name).join(', ');
    return `    ${name.padEnd(8)} ${index === 0 ? '(default) ' : ''}${members}`;
  });
  const all = Object.keys(groups).length > 0 ? '    all      every scenario' : '    all      (default) every scenario';
  return ['  groups:', ...lines, all].join('\n');
}

function positive(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} wants a number above 0, not ${text}`);
  return value;
}

/** Refused at the start, not after minutes of measuring. */
function outputFile(path: string | undefined, name: string): string | null {
  if (path === undefined) return null;
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) throw new Error(`--${name} ${path}: there is no folder ${folder}`);
  return path;
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
      html: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      profile: { type: 'string' },
      'allow-fewer': { type: 'boolean', default: false },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const { profile } = values;
  if (profile !== undefined && profile !== 'server' && profile !== 'generator') {
    throw new Error('--profile wants server or generator');
  }
  return {
    scenarios: scenariosOf(suite, positionals.length === 0 && values.smoke ? ['all'] : positionals),
    peers: values.peers?.split(',') ?? (values.smoke ? [suite.subject] : null),
    runs: Math.round(positive(values.runs, 'runs') ?? 1),
    seconds: positive(values.seconds, 'seconds'),
    smoke: values.smoke,
    jsonFile: outputFile(values.json, 'json'),
    htmlFile: outputFile(values.html, 'html'),
    markdown: values.markdown,
    profile: profile ?? null,
    allowFewer: values['allow-fewer'],
    recordingFile: values.data ?? process.env[RECORDING_VARIABLE] ?? RECORDING_FILE,
  };
}

function scenariosOf(suite: Suite, names: string[]): string[] {
  try {
    return namedScenarios(suite, names);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${helpOf(suite)}`);
  }
}
