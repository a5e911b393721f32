/**
 * What the environment says about the configuration. Others write into it too: Kubernetes sets variables that begin with
 * RINGCAST_ for a Service of that name, shells and conda set HOST. So a variable counts only where it cannot mean
 * something else, nothing in the environment that is not ours is an error, and what was used is told.
 */
import { isIP } from 'node:net';
import { closest } from './problems.js';
import type { ConfigKey } from './schema.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSetting {
  readonly variable: string;
  readonly text: string;
}

export interface EnvironmentReading {
  /** By key name. */
  readonly settings: ReadonlyMap<string, EnvironmentSetting>;
  /** Lines for whoever starts it: which variables were used, and which look as if they should have been. */
  readonly notices: readonly string[];
}

/** Says that short names such as MAX_QUEUE_SIZE are meant for ringcast here. */
export const SHORT_NAMES_VARIABLE = 'RINGCAST_SHORT_NAMES';
/** Variables of the commands that talk to a server; a server has no use for them. */
const OF_COMMANDS = new Set(['RINGCAST_TOKEN', 'RINGCAST_SECRET', SHORT_NAMES_VARIABLE]);

/** Short names that need no permission, because hosting platforms set them for whatever they start, and what they have to hold. */
const UNDERSTOOD: Readonly<Record<string, { isMeant: (text: string) => boolean; what: string }>> = {
  PORT: { isMeant: (text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, what: 'port number' },
  // A name is what shells (HOST=my-laptop) and conda (HOST=x86_64-conda-linux-gnu) put there.
  HOST: { isMeant: (text) => isIP(text) !== 0 || text === 'localhost', what: 'IP address' },
};

/** What kubelet and Docker's links set for a service called `ringcast` or `ringcast-…`: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
const SERVICE_NAME =
  /^RINGCAST(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT_NAME = /^RINGCAST(_\w+)?_PORT$/;
const SERVICE_PORT_VALUE = /^(tcp|udp|sctp):\/\//i;

export function readEnvironment(env: Environment, keys: readonly ConfigKey[]): EnvironmentReading {
  const settings = new Map<string, EnvironmentSetting>();
  const unused: string[] = [];
  const areShortNamesOurs = /^(true|1)$/i.test(env[SHORT_NAMES_VARIABLE] ?? '');
  for (const { name, environment } of keys) {
    for (const variable of environment) {
      // An empty variable counts as not set: that is how compose files and shells switch one off.
      const text = env[variable] ?? '';
      if (text === '' || settings.has(name) || isOfService(variable, text)) continue;
      const reason = areShortNamesOurs ? null : reasonNotToUse(variable, text, environment[0]);
      if (reason === null) settings.set(name, { variable, text });
      else unused.push(reason);
    }
  }
  const used = [...settings].map(([name, { variable }]) => `${name} (${variable})`);
  return {
    settings,
    notices: [
      ...(used.length === 0 ? [] : [`from the environment: ${used.join(', ')}`]),
      ...unused,
      ...unknownVariables(env, keys),
    ],
  };
}

/** Null: it is ours. `longName` is that of the same key. */
function reasonNotToUse(variable: string, text: string, longName: string): string | null {
  if (variable === longName) return null;
  const understood = UNDERSTOOD[variable];
  if (understood === undefined) {
    return `${variable} is not used, because it may be meant for another program; set ${longName}, or ${SHORT_NAMES_VARIABLE}=true`;
  }
  if (understood.isMeant(text)) return null;
  return `${variable} is not used, because it holds no ${understood.what}; if it is meant for ringcast, set ${longName}`;
}

function isOfService(variable: string, text: string): boolean {
  if (SERVICE_NAME.test(variable)) return true;
  return SERVICE_PORT_NAME.test(variable) && SERVICE_PORT_VALUE.test(text);
}

/** Probably typing errors, but whose they are cannot be known. */
function unknownVariables(env: Environment, keys: readonly ConfigKey[]): string[] {
  const known = keys.map(({ environment }) => environment[0]);
  const isKnown = new Set(known);
  return Object.entries(env)
    .filter(([name, text]) => name.startsWith('RINGCAST_') && (text ?? '') !== '' && !isOfService(name, text ?? ''))
    .filter(([name]) => !isKnown.has(name) && !OF_COMMANDS.has(name))
    .map(([name]) => {
      const meant = closest(name, known);
      return `${name} is not used: no key has this variable${meant === null ? '' : `; did you mean ${meant}?`}`;
    });
}
