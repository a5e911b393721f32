// Switches the accept thread's measurements off and on again within one process, where the same compiled code runs in the
// same memory: between two processes the CPU time of equal work differs by more than what is to be measured.
// Off means: topics that are looked at count as idle, so that the next sweep lets go of them, and none is taken up; the
// measurement for statistics, once a second, finds no topic and no subscription.

import { StatsBoardWriter } from '../../dist/counters/stats-board.js';
import { LagScan } from '../../dist/delivery/lag-scan.js';
import { TopicDirectory } from '../../dist/directory/topic-directory.js';
import { HomeKeeper } from '../../dist/moves/home-keeper.js';
import { LoadMeter } from '../../dist/moves/load-meter.js';

const { isIdle } = LoadMeter.prototype;
const { watch, activeTopics } = HomeKeeper.prototype;
const { entries } = TopicDirectory.prototype;
const { step } = LagScan.prototype;
const { write } = StatsBoardWriter.prototype;

export function switchMeasurement(isOn: boolean): void {
  LoadMeter.prototype.isIdle = isOn ? isIdle : () => true;
  HomeKeeper.prototype.watch = isOn ? watch : () => {};
  HomeKeeper.prototype.activeTopics = isOn ? activeTopics : () => [];
  TopicDirectory.prototype.entries = isOn ? entries : () => [];
  LagScan.prototype.step = isOn ? step : () => true;
  StatsBoardWriter.prototype.write = isOn ? write : () => {};
}
