// A lane's thread as it is in the package, but with sites between its steps at which it dies when the test asks for it.

import { receiveMessageOnPort } from 'node:worker_threads';
import { Lane } from '#src/lane/lane.js';
import { threadClock } from '#src/lane/worker.js';
import { FrameLog } from '#src/log/frame-log.js';
import { RingReader, RingWriter } from '#src/ring/ring.js';
import { Topic } from '#src/topic/topic.js';
import { FAULTS, FaultSwitch, KILLERS } from './faults.mjs';

/** Before and after each of them the thread may die. */
const SITES = [
  [FrameLog, 'begin'],
  [FrameLog, 'commit'],
  [RingWriter, 'publish'],
  [RingReader, 'release'],
];

export default function runFaultyLane({ port, faults, ...start }) {
  const faultSwitch = new FaultSwitch(faults);
  for (const [{ prototype }, name] of SITES) {
    const method = prototype[name];
    prototype[name] = function (...args) {
      faultSwitch.pass();
      const result = method.apply(this, args);
      faultSwitch.pass();
      return result;
    };
  }
  const { publish } = Topic.prototype;
  Topic.prototype.publish = function (message, ...rest) {
    const { bytes, start, end } = message;
    for (const [fault, text] of Object.entries(KILLERS)) {
      if (endsWith(bytes, start, end, text)) faultSwitch.commit(FAULTS[fault]);
    }
    return publish.call(this, message, ...rest);
  };
  new Lane(start, () => receiveMessageOnPort(port)?.message, threadClock).run();
}

/** Whether a payload ends with this text. */
function endsWith(bytes, start, end, text) {
  const textStart = end - text.length;
  if (textStart < start || bytes[end - 1] !== text.charCodeAt(text.length - 1)) return false;
  return Buffer.from(bytes.subarray(textStart, end)).toString() === text;
}
