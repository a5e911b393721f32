/** What a topic may be called. The same rules hold for both codecs, URLs and the in-process API. */

import { TOPIC_MAX_BYTES } from './messages.js';
import { utf8Length } from './utf8.js';

/** The topic on which the server publishes figures about itself, for who subscribes. Nobody else publishes to it. */
export const STATS_TOPIC = '$stats';

function hasControlCharacter(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true;
  }
  return false;
}

/** Null when the name can be used, otherwise what is wrong with it. */
export function topicNameProblem(name: string): string | null {
  const problem = patternProblem(name);
  if (problem !== null || !isPattern(name)) return problem;
  return 'the topic name contains a star, which stands for any characters: it is a pattern of names, for SUBSCRIBE';
}

/** Whether it stands for all names that match it (topic-pattern.ts), and not for one topic. */
export function isPattern(name: string): boolean {
  return name.includes('*');
}

/** Null when a topic can have the name, or one that the pattern matches. */
export function patternProblem(name: string): string | null {
  if (typeof name !== 'string') return 'the topic name is not a string';
  if (name.length === 0) return 'the topic name is empty';
  const lengthBytes = utf8Length(name);
  if (lengthBytes < 0) return 'the topic name is not valid UTF-8';
  if (lengthBytes > TOPIC_MAX_BYTES) return `the topic name has ${lengthBytes} bytes, at most ${TOPIC_MAX_BYTES}`;
  if (hasControlCharacter(name)) return 'the topic name contains a control character';
  if (name.charCodeAt(0) === 0x24) return "topic names that start with '$' are reserved for the server";
  return null;
}

/** The same for a name that a frame asks for: what topics may be called, or a topic of the server's own. */
export function addressProblem(name: string): string | null {
  return name === STATS_TOPIC ? null : topicNameProblem(name);
}

/** The same where a pattern of names will do as well: in SUBSCRIBE, UPDATE and UNSUBSCRIBE. */
export function subscriptionProblem(name: string): string | null {
  return name === STATS_TOPIC ? null : patternProblem(name);
}
