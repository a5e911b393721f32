/*
 * A lane that dies: request ring, log, event ring, and the successor's replay
 * (src/lane/lane.ts, src/lane/replay.ts, src/lane/supervised-lane.ts, src/ring/ring.ts).
 *
 * The accept thread publishes messages to two topics of one lane; each wants an ack. The lane takes them in batches: it
 * appends to the topic's log and emits an ACK, at the batch's end reports (publishes the events), then releases the
 * records. It may die between any two of these steps, RANDOM_DEATHS times, and besides whenever it is about to append one
 * message, the poison. The accept thread then takes in what was reported, blames a record, and starts the successor.
 *
 * Shown: every message that was accepted is in its topic's log exactly once and acked exactly once, with its seq, in the
 * order of publishing; or it was put aside, its publisher was told, and it is in no log. Nothing gets stuck.
 *
 * An append is one step here: what lies between its stores is the subject of log.pml. With -DBROKEN_… a rule is broken on
 * purpose; the search then has to find an error.
 */

#ifndef MESSAGES
#define MESSAGES 4
#endif
#define TOPICS 2
#define RING_RECORDS 3
#define BATCH_RECORDS 2
#define EVENTS_MAX 6
#define RANDOM_DEATHS 3
#define POISON_DEATHS 3

#define topicOf(id) ((id) % TOPICS)
#define at(topic, seq) ((topic) * (MESSAGES + 1) + (seq))
#define bitOf(position) (1 << ((position) - 1))
#define slot(position) (((position) - 1) % RING_RECORDS)

#define NO_RECORD 0
#define NONE 0

mtype = { ACK, NACK };

/* Shared memory. A position is that after a record: the n-th record's is n. */
byte records[RING_RECORDS];                  /* writer: the accept thread */
byte writerPosition = 0;
byte readerPosition = 0;                     /* writer: the lane, as of all below */
byte recordPosition = NO_RECORD;             /* LaneCounters.enterRecord */
byte frames[TOPICS * (MESSAGES + 1)];        /* which message is in a topic's log at a seq */
byte ingress[TOPICS * (MESSAGES + 1)];       /* INGRESS_FIELD */
byte head[TOPICS];
/* What has been published of the event ring: type, request, seq. */
chan events = [EVENTS_MAX] of { mtype, byte, byte };

/* The message that may kill whoever is about to append it, or NONE. */
byte poison;
byte deaths = 0;

/* What the accept thread knows. */
byte putAside = 0;                           /* bits: positions of records that successors do not handle */
byte nextMessage = 1;
bool hasEnded = false;

/* Between any two steps of the lane. */
inline mayDie() {
  if
  :: deaths < RANDOM_DEATHS ->
     deaths++;
#ifdef BROKEN_SUCCESSOR_BEFORE_THE_EXIT
     hasEnded = true
#else
     goto dead
#endif
  :: true
  fi
}

inline emit(type, request, seq) {
  emittedType[emitted] = type;
  emittedRequest[emitted] = request;
  emittedSeq[emitted] = seq;
  emitted++
}

/* RingReader.release() of all that was read. */
inline release() {
  readerPosition = read;
  mayDie()
}

proctype Lane(byte putAsideAtStart) {
  byte read, end, count, id, topic, seq, position;
  byte lastPosition[TOPICS];
  byte nextSeq[TOPICS];
  mtype emittedType[BATCH_RECORDS];
  byte emittedRequest[BATCH_RECORDS];
  byte emittedSeq[BATCH_RECORDS];
  byte emitted;

  /* Replay: what the predecessor did with the records that it has not released. */
  d_step {
    read = readerPosition;
    end = writerPosition;
    for (topic : 0 .. TOPICS - 1) {
      lastPosition[topic] = ingress[at(topic, head[topic])];
      nextSeq[topic] = head[topic] + 1
    }
    for (position : read + 1 .. end) {
      topic = topicOf(records[slot(position)]);
      if
      :: position <= lastPosition[topic] && !(putAsideAtStart & bitOf(position)) -> nextSeq[topic]--
      :: else
      fi
    }
    topic = 0;
    position = 0
  }
  mayDie();

  do
  :: read < writerPosition && len(events) + BATCH_RECORDS <= EVENTS_MAX ->
     /* Lane.step() */
     do
     :: count < BATCH_RECORDS && read < writerPosition ->
        d_step {
          count++;
          read++;
          id = records[slot(read)];
          topic = topicOf(id);
          recordPosition = read;
          seq = 0;
          /* Replay.find() */
          if
          :: putAsideAtStart & bitOf(read) -> emit(NACK, id, 0)
#ifndef BROKEN_REPLAY_APPENDS_AGAIN
          :: !(putAsideAtStart & bitOf(read)) && read <= end && read <= lastPosition[topic] ->
             seq = nextSeq[topic];
             nextSeq[topic]++;
             emit(ACK, id, seq);
#endif
          :: else -> seq = head[topic] + 1
          fi
        };
        mayDie();
        if
        :: seq == head[topic] + 1 ->
           if
           :: id == poison -> goto dead
           :: true
           fi;
           d_step {
             frames[at(topic, seq)] = id;
             ingress[at(topic, seq)] = read;
             head[topic] = seq
           };
           mayDie();
           emit(ACK, id, seq)
        :: else
        fi;
        d_step { id = 0; topic = 0; seq = 0 }
     :: else -> break
     od;

#ifdef BROKEN_RELEASE_BEFORE_THE_REPORT
     release();
#endif
     /* #report(): one store shows all events of the batch. */
     atomic {
       position = 0;
       do
       :: position < emitted ->
          events ! emittedType[position], emittedRequest[position], emittedSeq[position];
          emittedType[position] = 0;
          emittedRequest[position] = 0;
          emittedSeq[position] = 0;
          position++
       :: else -> break
       od;
       position = 0;
       emitted = 0;
       count = 0
     };
     mayDie();
#ifndef BROKEN_RELEASE_BEFORE_THE_REPORT
     release();
#endif
     recordPosition = NO_RECORD;
     mayDie()
  :: nextMessage > MESSAGES + 1 -> goto stopped
  od;

dead:
  hasEnded = true;
stopped:
  true
}

/* LaneLink.drainEvents(): of two answers to a request the second one changes nothing. */
inline takeIn() {
  if
#ifndef BROKEN_SECOND_ANSWER_COUNTS
  :: ackedSeq[id] != 0 || isRefused[id]
#endif
  :: else ->
     assert(ackedSeq[id] == 0 && !isRefused[id]);
     settled++;
     if
     :: type == ACK ->
        assert(seq != 0 && frames[at(topicOf(id), seq)] == id);
        ackedSeq[id] = seq
     :: else ->
        isRefused[id] = true;
#ifdef BROKEN_PUT_ASIDE_IS_FORGOTTEN
        putAside = 0
#endif
     fi
  fi
}

/* SupervisedLane.#blame(): what three threads in a row have died of is put aside, unless it is in the log already. */
inline blame() {
  position = recordPosition;
  if
  :: position != NO_RECORD && position == deathPosition -> deathsThere++
  :: else -> deathsThere = 1
  fi;
  deathPosition = position;
  if
  :: position > readerPosition && deathsThere >= POISON_DEATHS ->
     topic = topicOf(records[slot(position)]);
     if
#ifndef BROKEN_PUT_ASIDE_THOUGH_IN_THE_LOG
     :: position <= ingress[at(topic, head[topic])] -> skip
#endif
     :: else ->
        putAside = putAside | bitOf(position);
        deathPosition = NO_RECORD;
        deathsThere = 0
     fi;
     topic = 0
  :: else
  fi;
  position = 0
}

active proctype AcceptThread() {
  byte id, seq, topic, deathPosition, deathsThere, position;
  mtype type;
  byte ackedSeq[MESSAGES + 1];
  bool isRefused[MESSAGES + 1];
  byte settled = 0;

  select (poison : NONE .. MESSAGES);
  run Lane(0);

  do
  :: nextMessage <= MESSAGES && writerPosition - readerPosition < RING_RECORDS ->
     /* Claimed room is written before it is published. */
     records[slot(writerPosition + 1)] = nextMessage;
     d_step { writerPosition++; nextMessage++ }

  :: atomic { events ? type, id, seq ->
     takeIn();
     type = 0; id = 0; seq = 0 }

  :: atomic { hasEnded && empty(events) ->
     hasEnded = false;
     blame();
     /* #startMessage(): what was released is never seen again. */
     for (position : 1 .. readerPosition) {
       putAside = putAside & ~bitOf(position)
     }
     recordPosition = NO_RECORD;
     position = 0;
     run Lane(putAside) }

  :: settled == MESSAGES && writerPosition == readerPosition && empty(events) -> break
  od;
  /* Lets the lane end. */
  nextMessage = MESSAGES + 2;

  d_step {
    id = 1;
    do
    :: id <= MESSAGES ->
       if
       :: isRefused[id] -> assert(ackedSeq[id] == 0)
       :: else -> assert(frames[at(topicOf(id), ackedSeq[id])] == id)
       fi;
       id++
    :: else -> break
    od;
    for (topic : 0 .. TOPICS - 1) {
      for (seq : 1 .. head[topic]) {
        id = frames[at(topic, seq)];
        assert(ackedSeq[id] == seq);
        assert(seq == 1 || frames[at(topic, seq - 1)] < id)
      }
    }
  }
}
