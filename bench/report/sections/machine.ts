// Where, when and with which settings: without it a figure is a rumour.

import { type Html, html } from '../html.js';
import type { ResultsFile } from '../results-file.js';

export function machineHtml(files: readonly ResultsFile[], letters: readonly string[]): Html {
  return html`${files.map((file, index) => {
    const { machine } = file;
    const facts: [string, string][] = [
      ['machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB`],
      ['system', `${machine.system}, Node ${machine.node.replace(/^v/, '')}`],
      ['commit', machine.commit],
      ['command', machine.command],
      ['date', machine.date],
    ];
    const runs = file.kind === 'bench' ? file.options?.runs : undefined;
    if (runs !== undefined) facts.push(['runs', `${runs} of each scenario, variant and server`]);
    if (files.length > 1) facts.unshift(['file', [letters[index], file.file].filter(Boolean).join(': ')]);
    return html`<dl class="machine">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
  })}`;
}
