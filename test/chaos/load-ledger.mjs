// What all subscribers of one process heard, per topic: the first who hears a message notes it, the others must hear the same.

/** A filler for each message, so that a byte in the wrong place shows; of several lengths, so that frames differ. */
const FILLERS = Array.from({ length: 16 }, (_, n) => String.fromCharCode(97 + n).repeat(8 + n * 12));

/** @param {number} publisher @param {number} number of the publisher's message in this topic: 1, 2, 3 … */
export function payloadOf(publisher, number) {
  return { publisher, number, filler: FILLERS[(publisher + number) % FILLERS.length] };
}

export class Ledger {
  problems = [];
  events = 0;
  #topics = new Map();

  problem(text) {
    this.problems.push(text);
  }

  topic(name) {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      // By seq − 1.
      topic = { publishers: [], numbers: [], acceptedMs: [], heardMs: [] };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  /** A subscriber heard a message: the next one of its topic, it has seen to that. */
  note(who, name, seq, payload, acceptedMs) {
    this.events++;
    const topic = this.topic(name);
    const { publisher, number, filler } = payload;
    if (topic.numbers[seq - 1] === undefined) {
      topic.publishers[seq - 1] = publisher;
      topic.numbers[seq - 1] = number;
      topic.acceptedMs[seq - 1] = acceptedMs;
      topic.heardMs[seq - 1] = Date.now();
    } else if (topic.publishers[seq - 1] !== publisher || topic.numbers[seq - 1] !== number) {
      this.problem(`${who}: ${name} ${seq} is message ${number} of ${publisher}, but others heard another one`);
    }
    if (filler !== FILLERS[(publisher + number) % FILLERS.length]) this.problem(`${who}: ${name} ${seq} is damaged`);
  }

  /** For the test, which compares it with the answers that publishers got. */
  report() {
    const heard = Object.fromEntries(this.#topics);
    return { problems: this.problems.slice(0, 20), problemCount: this.problems.length, events: this.events, heard };
  }
}
