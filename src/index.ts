/** Public entry: everything that an embedding application needs. */

export type { EngineConfig, EngineOptions, TopicRule } from './config.js';
export type {
  ConsumerFigures,
  EngineFigures,
  GapCounts,
  LaneFigures,
  LaneState,
  StatsReport,
  TopicFigures,
  WaitFigures,
} from './counters/report.js';
export { StatsBoardReader } from './counters/stats-board.js';
export type { TopicStart } from './directory/topic-start.js';
export type { EngineStats, LaneEvent, PoisonEvent, TopicStats } from './engine/api.js';
export { createEngine, Engine, type EngineHooks, type EngineInput } from './engine.js';
export { ERROR_TABLE, type ErrorCode, RingcastError } from './errors.js';
export type {
  LocalPublishOptions,
  LocalSubscribeOptions,
  LocalSubscription,
  PublisherOptions,
  PublishRefusal,
  PublishResult,
} from './local/api.js';
export type { LocalPublisher } from './local/local-publisher.js';
export type { LocalEvent, LocalGap, LocalSnapshot, LocalSnapshotEntry } from './local/local-subscriber.js';
export { encodeJson } from './protocol/json-to-msgpack.js';
export { decode, encode } from './protocol/msgpack.js';
export { decodeJson } from './protocol/msgpack-to-json.js';
export { ExtensionValue } from './protocol/msgpack-types.js';
export type { SubscriptionCounts } from './protocol/received.js';
export type { AuthorizeRequest, ConnectionInfo, ConnectRequest } from './router/hooks.js';
export type { RequestHandler, RequestInfo } from './router/requests.js';
