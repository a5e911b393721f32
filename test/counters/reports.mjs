// Reports of any size in which every field tells which report it belongs to: a mixture of two is noticed.

/** @param {number} number @param {{ lanes: number, topics: number, slowest: number }} counts */
export function makeReport(number, { lanes, topics, slowest }) {
  const each = (length, make) => Array.from({ length }, (_, index) => make(number + index / 4096, index));
  return {
    time: number,
    intervalMs: number,
    engine: {
      uptimeMs: number + 0.5,
      connections: number,
      readyConnections: number + 15,
      waitingConnections: number + 16,
      blockedConnections: number + 1,
      subscriptions: number + 2,
      topics: number + 3,
      hotTopics: number + 4,
      streams: number + 17,
      coldLogBytes: number + 18,
      utilisation: 1 / (number + 1),
      messagesPerSecond: number + 5,
      deliveriesPerSecond: number + 6,
      deliveredBytesPerSecond: number + 7,
      messages: number + 8,
      overloadedMessages: number + 9,
      refusedPublishes: number + 19,
      pendingAcks: number + 20,
      deliveries: number + 10,
      deliveredBytes: number + 11,
      lostMessages: number + 12,
      gaps: { lapped: number + 21, max_lag_ms: 0, max_lag_messages: number, conflated: 1, too_large: 2 },
      slowDisconnects: number + 13,
      badFrames: number + 22,
      refusedConnections: number + 23,
      moves: number + 14,
      movingTopics: number + 24,
    },
    lanes: each(lanes, (value, lane) => ({
      lane,
      state: lane % 2 === 0 ? 'running' : 'restarting',
      topics: value,
      utilisation: value + 1,
      ringFillPercent: value + 2,
      ringWaitMs: { p50: value + 3, p99: value + 4, max: value + 5 },
      messagesPerSecond: value + 6,
      messages: value + 7,
      bytes: value + 8,
      restarts: value + 9,
      poisonedMessages: value + 10,
    })),
    topics: each(topics, (value, index) => ({
      topic: `Thema ${number}/${index} ü€😀`,
      home: index % 3 === 0 ? 'cold' : index % 3,
      subscribers: value,
      messagesPerSecond: value + 1,
      deliveriesPerSecond: value + 2,
      messages: value + 3,
      bytes: value + 4,
      deliveries: value + 5,
      deliveredBytes: value + 6,
      lagMessages: value + 7,
      lagMs: value + 8,
      gaps: {
        lapped: value + 9,
        max_lag_ms: value + 10,
        max_lag_messages: value + 11,
        conflated: value + 12,
        too_large: value + 16,
      },
      lostMessages: value + 13,
      moves: value + 14,
      laneShare: value + 15,
    })),
    slowest: each(slowest, (value, index) => ({
      connectionId: index % 2 === 0 ? `connection ${value}` : '',
      clientId: index % 3 === 0 ? `client ${value}` : '',
      topic: `topic ${value}`,
      lagMessages: value,
      lagMs: value + 1,
      isBlocked: index % 2 === 0,
    })),
  };
}

/** The sizes of report number n: they change, so that stale bytes lie behind the shorter ones. */
export function countsOf(number) {
  return { lanes: number % 9, topics: (number * 37) % 61, slowest: number % 21 };
}
