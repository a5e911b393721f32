/** What `ringcast top` shows: a stats report as text of a given width and height. */
import Table from 'cli-table3';
import picocolors from 'picocolors';
import type { Colors } from 'picocolors/types.js';
import type { ConsumerFigures, EngineFigures, LaneFigures, StatsReport, TopicFigures } from '../index.js';
import { printable } from './printable.js';
import { formatCount, formatMs, formatShare } from './top-format.js';

export interface ViewOptions {
  /** Characters per line and lines; Infinity: all there is. */
  readonly columns: number;
  readonly rows: number;
  /** Null: topics stand in the order that they shall have. */
  readonly sort: TopicSort | null;
  readonly colours: Colors;
}

/** By what topics are sorted, highest first; names from A on. */
export const TOPIC_SORTS = {
  deliveries: (topic) => topic.deliveriesPerSecond,
  messages: (topic) => topic.messagesPerSecond,
  subscribers: (topic) => topic.subscribers,
  lag: (topic) => topic.lagMessages,
  lost: (topic) => topic.lostMessages,
  moves: (topic) => topic.moves,
  name: () => 0,
} as const satisfies Record<string, (topic: TopicFigures) => number>;

export type TopicSort = keyof typeof TOPIC_SORTS;

interface Column<Row> {
  readonly head: string;
  readonly text: (row: Row) => string;
  /** Texts stand at the left and are cut off where room is short, numbers at the right. */
  readonly isText?: true;
  readonly isAlarming?: (row: Row) => boolean;
}

const LANE_COLUMNS: readonly Column<LaneFigures>[] = [
  { head: 'LANE', text: ({ lane }) => String(lane) },
  { head: 'STATE', text: ({ state }) => state, isText: true, isAlarming: ({ state }) => state !== 'running' },
  { head: 'BUSY', text: ({ utilisation }) => formatShare(utilisation) },
  { head: 'TOPICS', text: ({ topics }) => formatCount(topics) },
  { head: 'MSG/S', text: ({ messagesPerSecond }) => formatCount(messagesPerSecond) },
  {
    head: 'RING',
    text: ({ ringFillPercent }) => formatShare(ringFillPercent / 100),
    isAlarming: ({ ringFillPercent }) => ringFillPercent > 50,
  },
  { head: 'WAIT', text: ({ ringWaitMs }) => formatMs(ringWaitMs.p50) },
  { head: 'P99', text: ({ ringWaitMs }) => formatMs(ringWaitMs.p99) },
  { head: 'MAX', text: ({ ringWaitMs }) => formatMs(ringWaitMs.max) },
  { head: 'RESTARTS', text: ({ restarts }) => formatCount(restarts), isAlarming: ({ restarts }) => restarts > 0 },
  {
    head: 'POISON',
    text: ({ poisonedMessages }) => formatCount(poisonedMessages),
    isAlarming: ({ poisonedMessages }) => poisonedMessages > 0,
  },
];

/** The last ones are left out first where there is no room for all. */
const TOPIC_COLUMNS: readonly Column<TopicFigures>[] = [
  { head: 'TOPIC', text: ({ topic }) => topic, isText: true },
  { head: 'HOME', text: ({ home }) => (home === 'cold' ? 'cold' : `lane ${home}`), isText: true },
  { head: 'SUBS', text: ({ subscribers }) => formatCount(subscribers) },
  { head: 'MSG/S', text: ({ messagesPerSecond }) => formatCount(messagesPerSecond) },
  { head: 'DELIV/S', text: ({ deliveriesPerSecond }) => formatCount(deliveriesPerSecond) },
  { head: 'LAG', text: ({ lagMessages }) => formatCount(lagMessages) },
  { head: 'AGE', text: ({ lagMs }) => formatMs(lagMs) },
  {
    head: 'LOST',
    text: ({ lostMessages }) => formatCount(lostMessages),
    isAlarming: ({ lostMessages }) => lostMessages > 0,
  },
  { head: 'GAPS', text: ({ gaps }) => formatCount(Object.values(gaps).reduce((sum, count) => sum + count, 0)) },
  { head: 'MOVES', text: ({ moves }) => formatCount(moves) },
  { head: 'OF LANE', text: ({ home, laneShare }) => (home === 'cold' ? '-' : formatShare(laneShare)) },
];

const CONSUMER_COLUMNS: readonly Column<ConsumerFigures>[] = [
  { head: 'SLOWEST', text: ({ connectionId }) => connectionId || '(in process)', isText: true },
  { head: 'LAG', text: ({ lagMessages }) => formatCount(lagMessages) },
  { head: 'AGE', text: ({ lagMs }) => formatMs(lagMs) },
  {
    head: 'SOCKET',
    text: ({ isBlocked }) => (isBlocked ? 'blocked' : 'ok'),
    isText: true,
    isAlarming: ({ isBlocked }) => isBlocked,
  },
  { head: 'TOPIC', text: ({ topic }) => topic, isText: true },
  { head: 'CLIENT', text: ({ clientId }) => clientId, isText: true },
];

/** A column of texts is cut off to so many characters before another column is left out. */
const TEXT_MIN_CHARACTERS = 18;
/** Part of all lines that lanes may have, and part of what is left that consumers have where topics need it too. */
const LANE_SHARE = 1 / 4;
const CONSUMER_SHARE = 1 / 3;
/** A blank line, a head and one row. */
const LIST_MIN_LINES = 3;

const GAP_CHARACTERS = 2;
const NO_COLOURS = picocolors.createColors(false);
/** A table of text only. */
const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
);

/** The lines of a report, hottest topics and slowest consumers first. */
export function renderReport(report: StatsReport, options: ViewOptions): string {
  const head = engineLines(report.engine, report.time).map((line) => printable(line).slice(0, options.columns));
  const lanes = tableLines(shownLanes(report.lanes, options.rows), LANE_COLUMNS, options);
  const topics = options.sort === null ? report.topics : sortTopics(report.topics, options.sort);
  // One line is left free: that behind the last one, where the cursor stands.
  const free = Math.max(0, options.rows - head.length - lanes.length - 1);
  const wantedByConsumers = report.slowest.length === 0 ? 0 : report.slowest.length + 2;
  const share = free < 2 * LIST_MIN_LINES ? 0 : Math.max(LIST_MIN_LINES, Math.floor(free * CONSUMER_SHARE));
  const forConsumers = Math.min(wantedByConsumers, Math.max(share, free - topics.length - 2));
  const forTopics = free - forConsumers;
  const lines = [
    ...head,
    ...lanes,
    ...tableLines(topics.slice(0, Math.max(0, forTopics - 2)), TOPIC_COLUMNS, options),
    ...tableLines(report.slowest.slice(0, Math.max(0, forConsumers - 2)), CONSUMER_COLUMNS, options),
  ];
  return `${lines.slice(0, Math.max(1, options.rows - 1)).join('\n')}\n`;
}

/** All of them, or the busiest ones that there is room for, in their order. */
function shownLanes(lanes: readonly LaneFigures[], rows: number): readonly LaneFigures[] {
  const room = Math.max(2, Math.floor(rows * LANE_SHARE));
  if (lanes.length <= room) return lanes;
  const busiest = lanes.toSorted((left, right) => right.utilisation - left.utilisation).slice(0, room);
  return busiest.sort((left, right) => left.lane - right.lane);
}

/** Equal ones by their messages, then by their names. */
export function sortTopics(topics: readonly TopicFigures[], sort: TopicSort): TopicFigures[] {
  const scoreOf = TOPIC_SORTS[sort];
  return topics.toSorted(
    (left, right) =>
      scoreOf(right) - scoreOf(left) ||
      (sort === 'name' ? 0 : right.messagesPerSecond - left.messagesPerSecond) ||
      (left.topic < right.topic ? -1 : 1),
  );
}

function engineLines(engine: EngineFigures, time: number): string[] {
  const count = formatCount;
  const blocked = engine.blockedConnections === 0 ? '' : ` (${count(engine.blockedConnections)} blocked)`;
  return [
    `ringcast, up ${formatMs(engine.uptimeMs)}, ${new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')}`,
    [
      `messages/s ${count(engine.messagesPerSecond)}`,
      `deliveries/s ${count(engine.deliveriesPerSecond)}`,
      `bytes/s ${count(engine.deliveredBytesPerSecond)}`,
      `accept thread busy ${formatShare(engine.utilisation)}`,
    ].join(', '),
    [
      `connections ${count(engine.connections)}${blocked}`,
      `subscriptions ${count(engine.subscriptions)}`,
      `topics ${count(engine.topics)} (${count(engine.hotTopics)} hot)`,
    ].join(', '),
    [
      `since the start: messages ${count(engine.messages)}`,
      `overloaded ${count(engine.overloadedMessages)}`,
      `lost ${count(engine.lostMessages)}`,
      `slow disconnects ${count(engine.slowDisconnects)}`,
      `moves ${count(engine.moves)}`,
    ].join(', '),
  ];
}

/** A blank line, the head, the rows; nothing when there are no rows. */
function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: ViewOptions): string[] {
  if (rows.length === 0) return [];
  let count = columns.length;
  let widths = fittingWidths(rows, columns, options.columns);
  // Where one column does not fit in, its lines are cut off.
  while (widths === null && count > 1) widths = fittingWidths(rows, columns.slice(0, --count), options.columns);
  const text = makeTable(rows, columns.slice(0, count), widths ?? [options.columns], options.colours).toString();
  return ['', ...text.split('\n').map((line) => line.trimEnd())];
}

/** The width of each column, null where its texts decide; null: they do not fit in, however their texts are cut off. */
function fittingWidths<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  maxCharacters: number,
): (number | null)[] | null {
  // The gap behind the last column takes no room.
  let excess = widthOf(rows, columns) - GAP_CHARACTERS - maxCharacters;
  const widths = columns.map((column) => {
    if (excess <= 0 || !column.isText) return null;
    const width = widthOf(rows, [column]);
    const taken = Math.min(excess, Math.max(0, width - TEXT_MIN_CHARACTERS));
    excess -= taken;
    return taken > 0 ? width - taken : null;
  });
  return excess > 0 ? null : widths;
}

/** Of the table with nothing cut off, and without colours, whose codes would be counted. */
function widthOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): number {
  return makeTable(rows, columns, [], NO_COLOURS).width;
}

function makeTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  colWidths: (number | null)[],
  colours: Colors,
): Table.Table {
  const table = new Table({
    head: columns.map(({ head }) => colours.bold(head)),
    colAligns: columns.map(({ isText }) => (isText ? 'left' : 'right')),
    colWidths,
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': GAP_CHARACTERS, head: [], border: [] },
  });
  for (const row of rows) {
    table.push(
      columns.map(({ text, isAlarming }) => {
        const cell = printable(text(row));
        return isAlarming?.(row) === true ? colours.yellow(cell) : cell;
      }),
    );
  }
  return table;
}
