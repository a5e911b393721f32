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
export type { TopicEvent, TopicGap } from './delivery/local-subscriber.js';
export type {
  EngineStats,
  LaneEvent,
  LocalSubscribeOptions,
  LocalSubscription,
  PoisonEvent,
  PublisherOptions,
  PublishOptions,
  PublishRefusal,
  PublishResult,
  TopicStats,
} from './engine/api.js';
export type { Publisher } from './engine/publisher.js';
export { createEngine, Engine, type EngineHooks, type EngineInput } from './engine.js';
export { ERROR_TABLE, type ErrorCode, RingcastError } from './errors.js';
export { encodeJson } from './protocol/json-to-msgpack.js';
export { decode, encode } from './protocol/msgpack.js';
export { decodeJson } from './protocol/msgpack-to-json.js';
export { ExtensionValue } from './protocol/msgpack-types.js';
export type { AuthorizeRequest, ConnectionInfo, ConnectRequest } from './router/hooks.js';
