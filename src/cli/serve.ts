/** `ringcast serve`: runs a server until SIGTERM or Ctrl-C; with --demo it publishes invented share prices. */
import { Command } from 'commander';
import { CONNECTION_BYTES, type EngineConfig, formatSizeBytes, parseConfig, type ResolvedConfig } from '../config.js';
import type { Engine } from '../index.js';
import { addConfigFlags, configFromFlags, tellNotices } from './config-flags.js';
import { DEMO_TOPIC_PREFIX, DemoFeed, seededRandom } from './demo-feed.js';
import { tellEngineEvents } from './engine-lines.js';
import { describeFailure } from './failure.js';
import { SERVER_URL_DEFAULT } from './server-options.js';
import { hasStopSignal, stopBy } from './stop-signals.js';

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
  stopBy(async () => {
    stopFeed();
    await engine.close();
  });
  engine.on('fault', (fault) => {
    // It costs whom it befell; a server that ended for it could be ended by anybody who found one.
    console.error(`ringcast: a fault of the server, which goes on: ${describeFailure(fault)}`);
  });
  tellEngineEvents(engine, (line) => console.error(line));
  try {
    await engine.start();
  } catch (fault) {
    if (hasStopSignal()) return;
    throw fault;
  }
  console.log(`ringcast listens on ${engine.url}`);
  const now = formatSizeBytes(process.memoryUsage.rss());
  const each = formatSizeBytes(CONNECTION_BYTES);
  console.log(
    `Memory: ${now} now, about ${each} more per connection. What topics keep comes on top ("ringcast config").`,
  );
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
