/** `ringcast serve`: runs a server until SIGTERM or Ctrl-C; with --demo it publishes invented share prices. */
import { Command } from 'commander';
import { type EngineConfig, formatSizeBytes, memoryBound, parseConfig, type ResolvedConfig } from '../config.js';
import type { Engine } from '../index.js';
import { addConfigFlags, configFromFlags, tellNotices } from './config-flags.js';
import { DEMO_TOPIC_PREFIX, DemoFeed, seededRandom } from './demo-feed.js';
import { tellEngineEvents } from './engine-lines.js';
import { describeFailure, EXIT_FAILURE } from './failure.js';
import { SERVER_URL_DEFAULT, STOP_SIGNALS } from './server-options.js';

const DEMO_TICK_MS = 20;
const DEMO_SEED = 2026;

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('run a server; flags win over the environment, the environment over the file')
    .option('--demo', `publish a random walk of 50 share prices as ${DEMO_TOPIC_PREFIX}AAPL and so on`);
  return addConfigFlags(command).action(() => serve(configFromFlags(command), command.opts().demo === true));
}

async function serve(resolved: ResolvedConfig, isDemo: boolean): Promise<void> {
  tellNotices(resolved);
  const config = isDemo ? withDemoTopics(resolved) : resolved.config;
  // Only here: the other commands run without the native library that a server needs.
  const { createEngine } = await import('../index.js');
  const engine = createEngine(config);
  let stopFeed = () => {};
  stopOnSignals(async () => {
    stopFeed();
    await engine.close();
  });
  engine.on('fault', (fault) => {
    // Nothing is known of what state a fault left behind: end, so that a supervisor starts a clean process.
    console.error(`ringcast: a fault of the server ends it: ${describeFailure(fault)}`);
    process.exit(EXIT_FAILURE);
  });
  tellEngineEvents(engine, (line) => console.error(line));
  await engine.start();
  console.log(`ringcast listens on ${engine.url}`);
  const bound = formatSizeBytes(memoryBound(config).totalBytes);
  console.log(`Memory with every limit reached at once: ${bound} ("ringcast config" shows the sum).`);
  if (!isDemo) return;
  stopFeed = startDemoFeed(engine, config);
  const url = engine.url === SERVER_URL_DEFAULT ? '' : ` --url ${engine.url}`;
  console.log('Demo feed: 50 symbols, about 500 messages a second in all. To see one of them:');
  console.log(`  npx ringcast sub '${DEMO_TOPIC_PREFIX}AAPL'${url}`);
}

/** The demo's topics run in lanes, where there are any and nobody has decided where topics run. */
function withDemoTopics({ config, sources }: ResolvedConfig): EngineConfig {
  if (sources['topics.rules'] !== 'default' || config.lanes === 0) return config;
  const rules = [{ match: `${DEMO_TOPIC_PREFIX}*`, home: 'hot' as const }];
  return parseConfig({ ...config, topics: { ...config.topics, rules } });
}

/** Returns the function that ends it. */
function startDemoFeed(engine: Engine, config: EngineConfig): () => void {
  const refusals = new Set<string>();
  const onRefused = (error: unknown): void => {
    const why = describeFailure(error);
    if (refusals.has(why)) return; // once per reason is enough to know
    refusals.add(why);
    console.error(`ringcast: the demo feed was refused: ${why}`);
  };
  const feed = new DemoFeed({
    publish: (topic, price) => engine.publish(topic, price).catch(onRefused),
    random: seededRandom(DEMO_SEED),
    startMs: performance.now(),
  });
  if (!config.topics.autoCreate) for (const topic of feed.topics) engine.createTopic(topic);
  const timer = setInterval(() => feed.advance(performance.now()), DEMO_TICK_MS);
  return () => clearInterval(timer);
}

/** The first signal stops gracefully and ends with 0; a second one ends at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(EXIT_FAILURE);
    isStopping = true;
    console.error(`ringcast: ${signal}, stopping; once more to end at once`);
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`ringcast: ${describeFailure(error)}`);
        process.exit(EXIT_FAILURE);
      },
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}
