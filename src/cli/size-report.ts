/** What `ringcast size` prints. Pure: the same sizing always gives the same text. */
import Table from 'cli-table3';
import type { Alternative } from '../sizing/advice.js';
import type { Calibration, CoefficientName } from '../sizing/calibration.js';
import type { Conditions, Sizing } from '../sizing/model.js';
import { clientCount, type Workload } from '../sizing/workload.js';

export interface Answer {
  readonly workload: Workload;
  readonly conditions: Conditions;
  readonly sizing: Sizing;
  /** The most helpful first. */
  readonly alternatives: readonly Alternative[];
  readonly capacity: { readonly clientsPerProcess: number; readonly clientsPerMachine: number };
  readonly calibration: Calibration;
}

const ALTERNATIVES_MAX = 6;
const PARTS_MAX = 5;

export function renderAnswer(answer: Answer): string {
  const { sizing, workload, conditions, calibration } = answer;
  const lines = [headline(answer), '', ...needsTable(sizing, conditions)];
  if (sizing.process !== null) lines.push('', ...processLines(sizing, conditions));
  lines.push('', ...bottleneckLines(sizing, conditions), bestText(answer));
  if (answer.alternatives.length > 0) lines.push('', ...alternativesTable(answer));
  lines.push('', ...capacityLines(answer));
  lines.push('', ...calibrationLines(calibration));
  if (workload.topics.some(({ maxDelayMs }) => maxDelayMs === 'auto')) {
    lines.push(
      'maxDelayMs auto: 0 on an idle server, up to 5 ms on a busy one; the network is computed as if it were 0.',
    );
  }
  return `${lines.join('\n')}\n`;
}

function headline({ workload }: Answer): string {
  const clients = count(clientCount(workload));
  const groups = workload.topics.map(({ name, count: topics, ratePerSecond, bytes, home, maxDelayMs }) => {
    const delay = maxDelayMs === 'auto' ? 'maxDelayMs auto' : `maxDelayMs ${maxDelayMs}`;
    return `${name}: ${count(topics)} topics × ${number(ratePerSecond)}/s × ${count(bytes)} bytes, ${home}, ${delay}`;
  });
  return [`${clients} clients`, ...groups].join('\n  ');
}

function needsTable(sizing: Sizing, conditions: Conditions): string[] {
  const { network } = sizing;
  const utilisation = `${Math.round(conditions.targetUtilisation * 100)} %`;
  return table(
    ['needed', '', ''],
    [
      [
        'processes',
        count(sizing.processes),
        `one accept thread each, at most ${utilisation} busy; clients split among them`,
      ],
      ['cores', count(sizing.cores), `${number(sizing.cpu)} really used, of ${utilisation} each`],
      ['RAM, processes', size(sizing.memoryBytes), 'when every log is full'],
      ['', size(sizing.earlyMemoryBytes), `after ${number(conditions.uptimeSeconds)} s`],
      ['RAM, kernel', size(sizing.kernelBytes), `sockets, and ${conditions.roundTripMs} ms of bytes under way`],
      [
        'network, out',
        bits(network.outBytesPerSecond),
        `${count(Math.round(network.segmentsPerSecond))} segments/s, heads included`,
      ],
      ['network, in', bits(network.inBytesPerSecond), 'the feed, once per process'],
      ['p99', latency(sizing.p99Ms), 'from publishing to the client’s socket, without the network'],
    ],
  );
}

function processLines({ process, processes }: Sizing, conditions: Conditions): string[] {
  const { cpu, lanes, memoryParts } = process!;
  const which = processes === 1 ? 'The process' : 'Each process';
  const laneText = lanes === 0 ? '' : `, ${lanes === 1 ? 'its lane' : `its ${lanes} lanes`} ${percent(cpu.lanes)}`;
  const parts = cpu.parts
    .slice(0, PARTS_MAX)
    .filter((part) => part.cpu > 0.001)
    .map(({ what, cpu: part }) => `${what} ${percent(part)}`);
  const memory = memoryParts.slice(0, PARTS_MAX).map(({ what, bytes }) => `${what} ${size(bytes)}`);
  const over = cpu.accept > conditions.targetUtilisation ? ' — MORE THAN IT MAY BE' : '';
  return [
    `${which}: accept thread ${percent(cpu.accept)} of a core${over}${laneText}`,
    `  CPU: ${parts.join(', ')}`,
    `  RAM: ${memory.join(', ')}`,
    `  ${count(Math.round(cpu.activity.deliveries))} deliveries/s in ${count(Math.round(cpu.activity.writes))} writes/s`,
  ];
}

function bottleneckLines({ bottlenecks, processes, network }: Sizing, conditions: Conditions): string[] {
  const [{ what, used }] = bottlenecks;
  if (processes === Number.POSITIVE_INFINITY) {
    const feed = `${what}, takes ${percent(used)} of what an accept thread may use`;
    return [`First bottleneck: ${feed}. Split the topics among servers, so that none has to take in all of them.`];
  }
  const lines = [
    `First bottleneck: ${what} (${percent(used)} of what there is${processes === 1 ? '' : ' in each process'})`,
  ];
  const interfaces = (8 * network.outBytesPerSecond) / conditions.networkBitsPerSecond;
  if (interfaces > 1) {
    lines.push(
      `All processes together need ${number(interfaces)} network interfaces of ${bits(conditions.networkBitsPerSecond / 8)}.`,
    );
  }
  return lines;
}

function bestText({ alternatives }: Answer): string {
  const [best] = alternatives;
  if (best === undefined) return 'No setting would help much.';
  return `What would help most: ${best.setting}: ${changeTexts(best).join(', ')}`;
}

function changeTexts({ sizing, cpuSaved, memorySaved, p99SavedMs }: Alternative): string[] {
  const texts: string[] = [];
  if (Math.abs(cpuSaved) > 0.005) texts.push(`CPU ${signed(-cpuSaved)} (${count(sizing.cores)} cores)`);
  if (Math.abs(memorySaved) > 0.005) texts.push(`RAM ${signed(-memorySaved)}`);
  if (Number.isFinite(p99SavedMs) && Math.abs(p99SavedMs) > 0.05) {
    texts.push(`p99 ${p99SavedMs > 0 ? '−' : '+'}${number(Math.abs(p99SavedMs))} ms`);
  }
  return texts;
}

function alternativesTable({ alternatives }: Answer): string[] {
  return table(
    ['if', 'processes', 'cores', 'CPU', 'RAM', 'p99'],
    alternatives
      .slice(0, ALTERNATIVES_MAX)
      .map(({ setting, sizing }) => [
        setting,
        count(sizing.processes),
        count(sizing.cores),
        number(sizing.cpu),
        size(sizing.memoryBytes + sizing.kernelBytes),
        latency(sizing.p99Ms),
      ]),
  );
}

function capacityLines({ capacity, calibration }: Answer): string[] {
  const { cores, memoryBytes } = calibration.machine;
  return [
    `One process carries ${count(capacity.clientsPerProcess)} such clients, a machine like the calibrated one ` +
      `(${cores} ${cores === 1 ? 'core' : 'cores'}, ${size(memoryBytes)}) ${count(capacity.clientsPerMachine)}.`,
  ];
}

function calibrationLines({ machine, date, remarks, fitResidual }: Calibration): string[] {
  return [
    `Calibrated on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ringcast ${machine.ringcast}, ${date.slice(0, 10)}; ` +
      `the fit is off by ${percent(fitResidual)} (root mean square).`,
    ...remarks.map((remark) => `  remark: ${remark}`),
  ];
}

/** Each coefficient with its unit and spread. */
export function renderCalibration({ coefficients, spreads }: Calibration): string {
  const rows = Object.entries(coefficients).map(([name, value]) => {
    const unit = unitOf(name as CoefficientName);
    const factor = unit === '%' ? 100 : 1;
    const spread = spreads[name];
    const off = spread === undefined || spread === 0 ? '' : `± ${number(spread * factor)}`;
    return [name, number(value * factor), off, unit];
  });
  return `${table(['coefficient', 'value', 'spread', 'unit'], rows).join('\n')}\n`;
}

function unitOf(name: CoefficientName): string {
  if (name.endsWith('Micros')) return 'µs';
  if (name.endsWith('Nanos')) return 'ns';
  if (name.endsWith('Ms')) return 'ms';
  if (name.endsWith('Bytes')) return 'bytes';
  return name === 'hotDelayShare' ? '×' : '%';
}

/** Columns and nothing else: no frame, no colours. */
const NO_FRAME = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((place) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${place}${part}`, '']),
  ),
);

function table(head: string[], rows: string[][]): string[] {
  const drawn = new Table({
    head,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    chars: { ...NO_FRAME, middle: '  ' },
  });
  drawn.push(...rows);
  const lines = drawn.toString().split('\n');
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '');
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (Math.abs(value) >= 1000) return count(Math.round(value));
  return String(+value.toPrecision(3));
}

function count(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '∞' : value.toLocaleString('en-US', { maximumFractionDigits: 1 });
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Three digits: a model has no more. */
function size(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return '∞';
  const unit = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${number(bytes / 1024 ** unit)} ${SIZES[unit]}`;
}

function bits(bytesPerSecond: number): string {
  const bitsPerSecond = bytesPerSecond * 8;
  return bitsPerSecond >= 1e9 ? `${number(bitsPerSecond / 1e9)} Gbit/s` : `${number(bitsPerSecond / 1e6)} Mbit/s`;
}

function latency(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? 'ever longer' : `${number(ms)} ms`;
}

function percent(part: number): string {
  return `${number(100 * part)} %`;
}

function signed(part: number): string {
  return `${part < 0 ? '−' : '+'}${number(Math.abs(100 * part))} %`;
}
