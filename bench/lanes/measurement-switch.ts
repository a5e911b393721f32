// Switches the accept thread's measurement of load off and on again within one process, where the same compiled code runs in
// the same memory: between two processes the CPU time of equal work differs by more than what is to be measured.
// Off means: topics that are looked at count as idle, so that the next sweep lets go of them, and none is taken up.

import { LoadMeter } from '../../dist/lane/load-meter.js';
import { HomeKeeper } from '../../dist/router/home-keeper.js';

const { isIdle } = LoadMeter.prototype;
const { watch } = HomeKeeper.prototype;

export function switchMeasurement(isOn: boolean): void {
  LoadMeter.prototype.isIdle = isOn ? isIdle : () => true;
  HomeKeeper.prototype.watch = isOn ? watch : () => {};
}
