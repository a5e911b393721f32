// What does encryption cost?

import { completeBar, plainFigure } from '../../support/bars.js';
import { hasOpenssl } from '../../support/certificate.js';
import { RINGCAST, type Scenario, secondsOf, UWS } from '../../support/scenario.js';
import { cpuPerDelivery, latencyOf, MEASURED, PAYLOAD_BYTES } from '../../support/shared.js';

const NAME = 'tls';
const PLAIN = 'plain';
const ENCRYPTED = 'TLS';

export const tls: Scenario = {
  name: NAME,
  title:
    '1 hot topic × 200 subscribers, 50 messages a second, plain and over TLS (P-256 certificate made at the start)',
  unavailable: () => (hasOpenssl() ? null : 'no openssl command to make a certificate with (Debian: openssl)'),
  variants: (size) =>
    [PLAIN, ENCRYPTED].map((name) => ({
      name,
      peers: [UWS, RINGCAST],
      server: { topics: { hot: 1, cold: 0 }, payloadBytes: PAYLOAD_BYTES, maxDelayMs: 'auto' as const },
      connections: size.smoke ? 20 : 200,
      publishers: 1,
      ...(name === ENCRYPTED ? { tls: true as const } : {}),
    })),
  async drive(load, { connections }, size) {
    const schedule = { firstTopic: 0, topicCount: 1, perSecond: 50, burst: 1 };
    await load.connect(connections);
    await load.subscribe(0, connections, () => [0]);
    await load.schedules('warm-up', secondsOf(size, 6) / 2, [schedule]);
    load.warmedUp('warm-up');
    await load.schedules(MEASURED, secondsOf(size, 6), [schedule]);
  },
  bars(results) {
    const bars = [PLAIN, ENCRYPTED].flatMap((variant) => {
      const figure = (label: string, unit: string, pick: typeof cpuPerDelivery) =>
        plainFigure(
          {
            scenario: NAME,
            label: `${variant}: ${label}`,
            unit,
            value: results.spread(NAME, variant, RINGCAST, pick),
          },
          results.spread(NAME, variant, UWS, pick),
        );
      return [
        figure('server CPU per delivery', 'µs', cpuPerDelivery),
        figure('p50', 'ms', latencyOf(MEASURED, 'hot', 'p50Micros', 1000)),
        figure('p99', 'ms', latencyOf(MEASURED, 'hot', 'p99Micros', 1000)),
      ];
    });
    const wrong = (peer: string) => results.incomplete(NAME, ENCRYPTED, peer);
    return [...bars, completeBar(NAME, `${ENCRYPTED}: all delivered`, wrong(RINGCAST), wrong(UWS))];
  },
};
