// `ringcast config` and the flags that it shares with `ringcast serve`.
import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { configCommand, renderJson, renderText } from '#src/cli/config.js';
import { addConfigFlags, configFromFlags, tellWarnings } from '#src/cli/config-flags.js';
import { configKeys, memoryBound, parseConfig, resolveConfig } from '#src/config.js';

function parsed(args: readonly string[]): Command {
  return addConfigFlags(new Command('serve')).exitOverride().parse(args, { from: 'user' });
}

/** What the command prints. */
async function output(args: readonly string[]): Promise<string> {
  const chunks: string[] = [];
  const write = process.stdout.write;
  process.stdout.write = (chunk) => chunks.push(String(chunk)) > 0;
  try {
    await configCommand().exitOverride().parseAsync(args, { from: 'user' });
  } finally {
    process.stdout.write = write;
  }
  return chunks.join('');
}

describe('configuration flags', () => {
  it('exist for every key, with reason, range and default in the help', () => {
    const help = addConfigFlags(new Command('serve')).configureHelp({ helpWidth: 1000 }).helpInformation();
    for (const { flag, reason, range } of configKeys) {
      expect(help).toMatch(new RegExp(`^ +${flag} <[a-z-]+> +`, 'm'));
      expect(help).toContain(`${reason} [${range}; default: `);
    }
    expect(help).toContain('--config <file>');
  });

  it('win over the environment, and leave it alone where they are not given', () => {
    const { config, sources } = configFromFlags(parsed(['--port', '1', '--topics-auto-create', 'false']), {
      PORT: '2',
      HOST: '0.0.0.0',
    });
    expect(config).toMatchObject({ port: 1, host: '0.0.0.0', topics: { autoCreate: false } });
    expect(sources).toMatchObject({ port: 'flag --port', host: 'environment HOST', lanes: 'default' });
  });

  it('name the flag that is wrong', () => {
    expect(() => configFromFlags(parsed(['--heartbeat-ms', 'soon']), {})).toThrow(
      'heartbeatMs (flag --heartbeat-ms): must be a duration',
    );
  });
});

describe('warnings', () => {
  it('go to stderr, and there are none for a configuration that fits the machine', () => {
    const told = vi.spyOn(console, 'error').mockImplementation(() => {});
    tellWarnings(parseConfig({ lanes: 3 }), 4, null);
    expect(told).not.toHaveBeenCalled();
    tellWarnings(parseConfig({ lanes: 5 }), 4, null);
    expect(told.mock.calls).toEqual([[expect.stringMatching(/^ringcast: lanes is 5, but there are 4 cores: /)]]);
    told.mockRestore();
  });
});

describe('ringcast config', () => {
  const lines = (text: string) => text.split('\n');

  it('prints every key with value, unit and source, in aligned columns', () => {
    const resolved = resolveConfig({ env: { PORT: '9000' }, flags: { lanes: '3', 'topics.create': 'a,b' } });
    const text = renderText(resolved);
    const [head, rule, ...rows] = lines(text);
    expect(head).toMatch(/^key +value +unit +source$/);
    const columns = [...rule.matchAll(/-+/g)].map((match) => match.index);
    for (const [index, key] of configKeys.entries()) {
      expect(rows[index].startsWith(key.name)).toBe(true);
      for (const column of columns.slice(1)) expect(rows[index][column - 1]).toBe(' ');
      expect(rows[index].slice(columns[3])).toBe(resolved.sources[key.name]);
    }
    expect(text).toMatch(/^port +9000 +environment PORT$/m);
    expect(text).toMatch(/^lanes +3 +threads +flag --lanes$/m);
    expect(text).toMatch(/^heartbeatMs +30000 +ms = 30 s +default$/m);
    expect(text).toMatch(/^topics.create +a,b +flag --topics-create$/m);
  });

  it('shows rules in full, and a passphrase never', () => {
    const flags = {
      'topics.rules': '[{"match":"a*","home":"hot"}]',
      'tls.certFile': 'c',
      'tls.keyFile': 'k',
      'tls.passphrase': 'geheim',
    };
    const resolved = resolveConfig({ env: {}, flags });
    expect(renderText(resolved)).toContain('topics.rules[0] {"match":"a*","home":"hot"}\n');
    for (const text of [renderText(resolved), renderJson(resolved)]) {
      expect(text).not.toContain('geheim');
      expect(text).toContain('(hidden)');
    }
  });

  it('prints the memory as sums, with what they mean', () => {
    const text = renderText(resolveConfig({ env: {}, flags: {} }));
    const { rows, connectionRows } = memoryBound(parseConfig());
    for (const { owner, formula } of [...rows, ...connectionRows]) {
      expect(text).toMatch(new RegExp(`^${owner} `, 'm'));
      expect(text).toContain(formula);
    }
    expect(text).toMatch(/^total +\S+ \w+ +sum of the above$/m);
    expect(text).toContain('Bounds that nobody reaches');
  });

  it('prints JSON that can be read back', async () => {
    const { config, sources, memory } = JSON.parse(await output(['--json', '--port', '1']));
    expect(parseConfig(config)).toMatchObject({ port: 1 });
    expect(sources.port).toBe('flag --port');
    expect(memory.totalBytes).toBe(memoryBound(parseConfig(config)).totalBytes);
  });

  it('prints text and Markdown', async () => {
    expect(await output(['--max-topics', '10'])).toMatch(/^maxTopics +10 +topics +flag --max-topics$/m);
    expect(await output(['--markdown'])).toMatch(/^\| key \| default \|/);
  });
});
