/**
 * Types and flags of the records in a lane's two rings, and what their fields mean.
 *
 *   requests (accept thread → lane)
 *   OPEN        topic = alias; the spec and the log's memory have been posted to the lane's port before
 *   PUBLISH     topic, connection = origin (noEcho) or 0, request = number for the ACK or 0, time = ms since the epoch,
 *               payload = the message's payload, then its tail (see `eventTail`) when HAS_TAIL is set
 *   OPEN_JSON   topic; the log's memory has been posted before
 *   CLOSE_JSON  topic
 *   CLOSE       topic
 *   STOP        –
 *
 *   events (lane → accept thread)
 *   READY       the lane runs
 *   HEAD        topic: the heads of its streams have moved
 *   CLOSED      the lane has dealt with a CLOSE or CLOSE_JSON and will not touch the logs that it closed; in their order
 *   ACK         topic, request, time = the message's seq (a f64 field, so that 2^53 fits)
 */

export const REQUEST_OPEN = 1;
export const REQUEST_PUBLISH = 2;
export const REQUEST_OPEN_JSON = 3;
export const REQUEST_CLOSE_JSON = 4;
export const REQUEST_CLOSE = 5;
export const REQUEST_STOP = 6;

export const EVENT_READY = 1;
export const EVENT_HEAD = 2;
export const EVENT_ACK = 3;
export const EVENT_CLOSED = 4;

/** PUBLISH: the payload's bytes end with the EVENT's optional elements. */
export const FLAG_HAS_TAIL = 1;
