// The whole page, out of results files: pure, everything it needs is inside it.

import { Dataset } from './dataset.js';
import { renderFigure } from './figure-html.js';
import { plural } from './format.js';
import { type Html, html } from './html.js';
import { page } from './page.js';
import type { BenchResults, ResultsFile } from './results-file.js';
import type { Section } from './section.js';
import { barSummary, barsHtml } from './sections/bars.js';
import { isolationSection } from './sections/isolation.js';
import { machineHtml } from './sections/machine.js';
import { microSection } from './sections/micro.js';
import { peersSection } from './sections/peers.js';
import { percentileSection } from './sections/percentile-curves.js';
import { rawHtml } from './sections/raw.js';
import { loadSection, memorySection, otherSection, rateSection } from './sections/series.js';
import { sizingSection } from './sections/sizing.js';
import { details } from './table.js';
import { concerns, remarksOf } from './warnings.js';

/** In the order of the page. */
function sectionsOf(dataset: Dataset, files: readonly ResultsFile[]): Section[] {
  const ofParts = [
    sizingSection(files.filter((file) => file.kind === 'sizing')),
    microSection(files.filter((file) => file.kind === 'micro')),
  ];
  const hasRuns = dataset.runs.length > 0;
  // Who asks about one thing need not be told of all others.
  if (!hasRuns && files.some(({ kind }) => kind !== 'bench')) return ofParts.filter(({ blocks }) => blocks.length > 0);
  return [
    loadSection(dataset),
    isolationSection(dataset),
    peersSection(dataset),
    rateSection(dataset),
    memorySection(dataset),
    otherSection(dataset),
    percentileSection(dataset),
    ...ofParts,
  ].filter((section) => section !== null);
}

/** What concerns the whole report; what concerns a scenario stands there. */
function generalWarnings(files: readonly ResultsFile[], dataset: Dataset): string[] {
  const warnings: string[] = [];
  if (files.some(({ partial }) => partial)) {
    warnings.push('PARTIAL: the command was interrupted. What is missing was not measured.');
  }
  if (files.some((file) => file.kind !== 'sizing' && file.options?.smoke)) {
    warnings.push('SMOKE RUN: tiny sizes and fractions of a second. It checks deliveries; its figures mean nothing.');
  }
  if (files.some(({ machine }) => machine.commit.includes('with changes'))) {
    warnings.push('The working tree had changes that are in no commit: the figures cannot be repeated from it alone.');
  }
  const machines = new Set(files.map(({ machine }) => `${machine.cpu} ${machine.cores} ${machine.memoryGiB}`));
  if (machines.size > 1) warnings.push('The files are from different machines: compare within a file only.');
  const remarks = remarksOf(dataset.sources);
  const ofNoScenario = remarks.filter((text) => !dataset.scenarios.some((scenario) => concerns(text, scenario)));
  return [...warnings, ...ofNoScenario];
}

/** A longer list is not read. */
const WARNINGS_MAX = 8;

function warningList(warnings: readonly string[]): Html | null {
  if (warnings.length === 0) return null;
  const shown = warnings.slice(0, WARNINGS_MAX);
  if (warnings.length > shown.length)
    shown.push(`and ${warnings.length - shown.length} more, among the notes below the bars`);
  return html`<div class="warning" role="note"><ul>${shown.map((text) => html`<li>${text}</li>`)}</ul></div>`;
}

class Figures {
  #count = 0;

  nextId(): string {
    this.#count++;
    return `figure-${this.#count}`;
  }
}

function sectionHtml(section: Section, figures: Figures): Html {
  const blocks = section.blocks.map(
    (block) => html`<div class="block">
${block.heading === '' ? null : html`<h3>${block.heading}</h3>`}
${warningList(block.warnings)}
${block.content ?? null}
${block.figures.length > 0 ? html`<div class="figures">${block.figures.map((one) => renderFigure(figures.nextId(), one))}</div>` : null}
</div>`,
  );
  const content = blocks.length > 0 ? blocks : html`<p class="missing">Not measured. ${section.missing}</p>`;
  return html`<section id="${section.id}"><h2>${section.title}</h2>
${blocks.length > 0 ? html`<p>${section.lead}</p>` : null}
${content}</section>`;
}

function remarks(files: readonly BenchResults[]): Html | null {
  const notes = files.flatMap((file) => file.notes.map((note) => (files.length > 1 ? `${file.file}: ${note}` : note)));
  if (notes.length === 0) return null;
  return details(
    html`<strong>${plural(notes.length, 'note')}</strong> on runs that were incomplete, failed, skipped or disturbed`,
    html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
  );
}

/** @throws Error when there is no file */
export function renderReport(files: readonly ResultsFile[]): string {
  if (files.length === 0) throw new Error('a report needs a results file');
  const bench = files.filter((file) => file.kind === 'bench');
  const dataset = new Dataset(bench);
  const sections = sectionsOf(dataset, files);
  const figures = new Figures();
  const hasRuns = dataset.runs.length > 0;
  const contents = [
    ...(hasRuns ? [{ id: 'bars', title: 'Bars' }] : []),
    ...sections.filter(({ blocks }) => blocks.length > 0),
    ...(hasRuns ? [{ id: 'raw', title: 'Raw numbers' }] : []),
  ];
  const letters = files.map((file) => dataset.sources.find((source) => source.file === file.file)?.letter ?? '');
  const dates = [...new Set(files.map(({ machine }) => machine.date))].sort();
  return page({
    title: `ringcast bench report, ${dates.join(', ')}`,
    body: html`<header><h1>ringcast bench report</h1>
${warningList(generalWarnings(files, dataset))}
${machineHtml(files, letters)}
${hasRuns && dataset.bars.length > 0 ? html`<p class="summary">${barSummary(dataset.bars)}</p>` : null}
<nav aria-label="Contents"><ul>${contents.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${hasRuns ? html`<section id="bars"><h2>Bars</h2>${barsHtml(dataset)}${remarks(bench)}</section>` : null}
${sections.map((section) => sectionHtml(section, figures))}
${hasRuns ? html`<section id="raw"><h2>Raw numbers</h2>${rawHtml(dataset)}</section>` : null}
</main>`,
  });
}
