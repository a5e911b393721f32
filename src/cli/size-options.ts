/** Options of `ringcast size`, and the workload and conditions that they describe. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs, parseSizeBytes } from '../config/units.js';
import { CONDITIONS_DEFAULT, type Conditions } from '../sizing/model.js';
import { simpleWorkload, type Workload, type WorkloadSettings } from '../sizing/workload.js';
import { LIMITS } from '../sizing/workload-file.js';
import { CommandFailure } from './failure.js';

export interface SizeOptions {
  readonly clients?: number;
  readonly topicsPerClient?: number;
  readonly topics?: number;
  readonly rate?: number;
  readonly bytes?: number;
  readonly hot?: number;
  readonly maxDelay?: number | 'auto';
  readonly tls?: true;
  readonly workload?: string;
  readonly calibration?: string;
  readonly save?: string;
  readonly allowFewer?: true;
  readonly processes?: number;
  readonly utilisation: number;
  readonly roundTrip: number;
  readonly network: number;
  readonly uptime: number;
  readonly json?: true;
}

/** Options that describe a workload; what `--workload` says instead. */
const WORKLOAD_OPTIONS = ['clients', 'topicsPerClient', 'topics', 'rate', 'bytes', 'hot', 'maxDelay', 'tls'] as const;
const REQUIRED_OPTIONS = ['clients', 'topicsPerClient', 'topics', 'rate', 'bytes'] as const;

const WORKLOAD_GROUP = 'Workload:';
const CALIBRATION_GROUP = 'Calibration:';
const CONDITION_GROUP = 'Conditions:';

export function addSizeOptions(command: Command): Command {
  const add = (group: string, flags: string, text: string, parse?: (given: string) => unknown): void => {
    const option = new Option(flags, text).helpGroup(group);
    command.addOption(parse === undefined ? option : option.argParser(parse));
  };
  const workload = add.bind(null, WORKLOAD_GROUP);
  workload('--clients <number>', 'connected clients', numberWithin(LIMITS.clients, true));
  workload('--topics-per-client <number>', 'topics that a client subscribes to', numberWithin(LIMITS.topicsPerClient));
  workload('--topics <number>', 'topics in all', numberWithin(LIMITS.topics, true));
  workload('--rate <number>', 'messages per second and topic', numberWithin(LIMITS.rate));
  workload('--bytes <bytes>', 'payload of a message, such as 180 or 4KiB', bytesWithin(LIMITS.bytes));
  workload(
    '--hot <number>',
    'of the topics, how many are in lanes (default: 0)',
    numberWithin([0, LIMITS.topics[1]], true),
  );
  workload('--max-delay <ms>', 'maxDelayMs: auto, or ms such as 20 (default: auto)', delay);
  workload('--tls', 'wss:// instead of ws://');
  workload(
    '--workload <file>',
    'TOML or JSON file with several groups of topics and classes of clients, instead of the above',
  );
  const calibration = add.bind(null, CALIBRATION_GROUP);
  calibration('--calibration <file>', 'a saved calibration, instead of measuring this machine for about two minutes');
  calibration('--save <file>', 'save the calibration');
  calibration('--allow-fewer', 'with too few file descriptors: measure with fewer connections');
  command.addOption(
    new Option('--processes <number>', 'so many processes, instead of as many as it takes')
      .helpGroup(CONDITION_GROUP)
      .argParser(numberWithin([1, 100_000], true)),
  );
  const condition = (flags: string, text: string, value: number, range: readonly [number, number]): void => {
    const option = new Option(flags, text).helpGroup(CONDITION_GROUP).default(value).argParser(numberWithin(range));
    command.addOption(option);
  };
  condition('--utilisation <percent>', 'of a core that an accept thread may use on average', 70, [1, 99]);
  condition('--round-trip <ms>', 'between server and clients', CONDITIONS_DEFAULT.roundTripMs, [0, 10_000]);
  condition(
    '--network <gbit/s>',
    'what the network interface carries',
    CONDITIONS_DEFAULT.networkBitsPerSecond / 1e9,
    [0.001, 10_000],
  );
  condition('--uptime <seconds>', 'after which RAM is told a second time', CONDITIONS_DEFAULT.uptimeSeconds, [0, 1e9]);
  return command.option('--json', 'one JSON object: workload, needs, alternatives, calibration');
}

export function conditionsOf({ utilisation, roundTrip, network, processes, uptime }: SizeOptions): Conditions {
  return {
    ...CONDITIONS_DEFAULT,
    targetUtilisation: utilisation / 100,
    roundTripMs: roundTrip,
    networkBitsPerSecond: network * 1e9,
    uptimeSeconds: uptime,
    processes: processes ?? null,
  };
}

/** Null: nothing is asked, the machine is only to be calibrated. Throws CommandFailure. */
export function workloadOf(
  options: SizeOptions,
  readFile: (path: string) => Workload,
  settings: WorkloadSettings,
): Workload | null {
  const given = WORKLOAD_OPTIONS.filter((name) => options[name] !== undefined);
  if (options.workload !== undefined) {
    if (given.length > 0)
      throw new CommandFailure(`--workload describes all of it: leave out ${given.map(flag).join(', ')}`);
    return readFile(options.workload);
  }
  if (given.length === 0) return null;
  const missing = REQUIRED_OPTIONS.filter((name) => options[name] === undefined);
  if (missing.length > 0) {
    throw new CommandFailure(
      `a workload also needs ${missing.map(flag).join(', ')}; or describe it in a file: --workload`,
    );
  }
  const {
    clients,
    topicsPerClient,
    topics,
    rate,
    bytes,
    hot = 0,
    maxDelay = 'auto',
    tls = false,
  } = options as Required<SizeOptions>;
  if (topicsPerClient > topics) {
    throw new CommandFailure(`--topics-per-client ${topicsPerClient} is more than there are: --topics ${topics}`);
  }
  if (hot > topics) throw new CommandFailure(`--hot ${hot} is more than there are: --topics ${topics}`);
  return simpleWorkload({
    clients,
    topicsPerClient,
    topics,
    rate,
    bytes,
    hot,
    maxDelayMs: maxDelay,
    settings: { ...settings, tls },
  });
}

function flag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function numberWithin([min, max]: readonly [number, number], isWhole = false): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`Must be a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}.`);
  };
}

function bytesWithin([min, max]: readonly [number, number]): (text: string) => number {
  return (text) => {
    const value = parseSizeBytes(text);
    if (value !== null && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Must be ${min} to ${max} bytes, such as 180 or 4KiB.`);
  };
}

function delay(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const [min, max] = LIMITS.maxDelayMs;
  const value = parseDurationMs(text);
  if (value !== null && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Must be auto, or ${min} to ${max} ms.`);
}
