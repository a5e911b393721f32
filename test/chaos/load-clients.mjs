// Clients of the load: read as cheaply as a check of every message allows.

import WebSocket from 'ws';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import { decode } from '#src/protocol/msgpack.js';
import { payloadOf } from './load-ledger.mjs';

const OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true };

/** One connection: its frames, of either dialect, in one shape. */
class Peer {
  #socket;
  #isText;
  #topics = new Map();

  /** @param {'msgpack' | 'json'} codec */
  constructor(name, codec, ledger) {
    this.name = `${name} (${codec})`;
    this.ledger = ledger;
    this.#isText = codec === 'json';
  }

  async open(url) {
    const socket = new WebSocket(url, `ringcast.v1.${this.#isText ? 'json' : 'msgpack'}`, OPTIONS);
    this.#socket = socket;
    socket.on('message', this.#isText ? (data) => this.#readText(data) : (data) => this.#readBinary(data));
    socket.on('close', (code) => {
      if (!this.isLeaving) this.ledger.problem(`${this.name}: closed with ${code}`);
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', (error) => this.ledger.problem(`${this.name}: ${error.message}`));
  }

  close() {
    this.isLeaving = true;
    this.#socket.terminate();
  }

  send(message) {
    this.#socket.send(this.#isText ? JSON.stringify(jsonOf(message)) : encodeClientFrame(message));
  }

  #readText(data) {
    const frame = JSON.parse(data);
    const { type, topic, seq, request_id: id } = frame;
    if (type === 'event') this.onEvent(topic, seq, frame.message.payload, Date.parse(frame.ts));
    else if (type === 'ack') this.onAnswer(id, seq, null);
    else if (type === 'error') this.onAnswer(id, 0, frame.error.code);
    else if (type === 'unsubscribed' && id !== undefined) this.onAnswer(id, 0, null);
    else if (type !== 'welcome') this.ledger.problem(`${this.name}: ${data}`);
  }

  #readBinary(data) {
    for (const frame of decodeServerFrames(data)) {
      if (frame.type === 'event') {
        this.onEvent(this.#topics.get(frame.alias), frame.seq, decode(frame.payloadBytes), frame.time);
      } else if (frame.type === 'ok') {
        const { alias, topic, seq } = frame.result;
        if (alias !== undefined && topic !== undefined) this.#topics.set(alias, topic);
        this.onAnswer(frame.id, seq, null);
      } else if (frame.type === 'error') this.onAnswer(frame.id, 0, frame.code);
      else if (frame.type !== 'welcome') this.ledger.problem(`${this.name}: ${JSON.stringify(frame)}`);
    }
  }
}

function jsonOf({ type, id, topic, payload, options }) {
  if (type === 'publish') return { type, request_id: id, topic, message: { payload } };
  return { type, request_id: id, topic, last_n: options?.lastN };
}

export class Subscriber extends Peer {
  /** By topic; of those that are subscribed. */
  #nextSeqs = new Map();
  #waiting = new Map();
  #lastId = 0;

  async subscribe(topic, options) {
    await this.#request({ type: 'subscribe', topic, options });
  }

  async unsubscribe(topic) {
    await this.#request({ type: 'unsubscribe', topic });
    this.#nextSeqs.delete(topic);
  }

  /** The message that comes next. */
  nextSeq(topic) {
    return this.#nextSeqs.get(topic);
  }

  #request(message) {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, { ...message, resolve });
      this.send({ ...message, id });
    });
  }

  onAnswer(id, seq, code) {
    const { type, topic, resolve } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (code !== null) this.ledger.problem(`${this.name}: ${type} ${topic}: ${code}`);
    // No event overtakes the answer, and none waits for whoever asked.
    if (type === 'subscribe') this.#nextSeqs.set(topic, seq + 1);
    resolve();
  }

  onEvent(topic, seq, payload, acceptedMs) {
    const nextSeq = this.#nextSeqs.get(topic);
    if (seq !== nextSeq) this.ledger.problem(`${this.name}: ${topic} ${seq} instead of ${nextSeq}`);
    this.#nextSeqs.set(topic, seq + 1);
    this.ledger.note(this.name, topic, seq, payload, acceptedMs);
  }
}

/** Publishes to several topics at a steady pace, with a request id each, and keeps what it was answered. */
export class Publisher extends Peer {
  #number;
  #plan;
  #ticks = 0;
  #timer;
  #lastId = 0;
  #waiting = new Map();
  #numbers = new Map();
  /** [topic, number, seq or error code] */
  outcomes = [];

  /** @param {{ topic: string, everyTicks: number, offset: number, onTicks: number, offTicks: number }[]} plan */
  constructor(number, codec, plan, ledger) {
    super(`publisher ${number}`, codec, ledger);
    this.#number = number;
    this.#plan = plan;
  }

  start(tickMs) {
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  stop() {
    clearInterval(this.#timer);
  }

  get unanswered() {
    return this.#waiting.size;
  }

  #tick() {
    const tick = this.#ticks++;
    for (const { topic, everyTicks, offset, onTicks, offTicks } of this.#plan) {
      if ((tick + offset) % everyTicks === 0 && (tick + offset) % (onTicks + offTicks) < onTicks) this.#publish(topic);
    }
  }

  #publish(topic) {
    const number = (this.#numbers.get(topic) ?? 0) + 1;
    this.#numbers.set(topic, number);
    const id = ++this.#lastId;
    this.#waiting.set(id, { topic, number });
    this.send({ type: 'publish', id, topic, payload: payloadOf(this.#number, number) });
  }

  onAnswer(id, seq, code) {
    const message = this.#waiting.get(id);
    if (message === undefined) {
      this.ledger.problem(`${this.name}: request ${id} is answered for the second time (${code ?? seq})`);
      return;
    }
    this.#waiting.delete(id);
    this.outcomes.push([message.topic, message.number, code ?? seq]);
  }

  onEvent(topic, seq) {
    this.ledger.problem(`${this.name}: got ${topic} ${seq} without a subscription`);
  }
}
