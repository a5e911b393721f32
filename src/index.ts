/** Public entry: everything that an embedding application needs. */

export type { EngineConfig, EngineOptions, TopicRule } from './config.js';
export type { TopicEvent, TopicGap } from './delivery/local-subscriber.js';
export {
  createEngine,
  Engine,
  type EngineHooks,
  type EngineInput,
  type EngineStats,
  type LocalSubscribeOptions,
  type LocalSubscription,
  type PublishOptions,
  type PublishResult,
  type TopicStats,
} from './engine.js';
export { ERROR_TABLE, type ErrorCode, RingcastError } from './errors.js';
export { decode, encode } from './protocol/msgpack.js';
export type { AuthorizeRequest, ConnectionInfo, ConnectRequest } from './router/hooks.js';
