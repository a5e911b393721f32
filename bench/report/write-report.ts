// The report as a file. Loaded only when a report is asked for: the drawing library is large.

import { writeFileSync } from 'node:fs';
import { renderReport } from './render-report.js';
import { parseResults, type ResultsFile } from './results-file.js';

/** @throws Error with one line when the file cannot be written */
export function writeReport(path: string, files: readonly ResultsFile[]): void {
  const content = renderReport(files);
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new Error(`cannot write ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** What a command is about to write with --json goes the same way as a file that was read. */
export function writeReportOf(path: string, results: unknown): void {
  writeReport(path, [parseResults(JSON.parse(JSON.stringify(results)), 'these results')]);
}
