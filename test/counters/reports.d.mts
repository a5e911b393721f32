import type { StatsReport } from '#src/counters/report.js';

export interface ReportCounts {
  readonly lanes: number;
  readonly topics: number;
  readonly slowest: number;
}

export function makeReport(number: number, counts: ReportCounts): StatsReport;
export function countsOf(number: number): ReportCounts;
