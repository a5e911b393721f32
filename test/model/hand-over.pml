/*
 * Hand-over: one topic moves between the accept thread (cold) and two lanes while messages are published and lanes die
 * (src/moves/hand-over.ts, src/moves/leaving-topic.ts, src/lane/lane-link.ts, src/lane/lane.ts, src/lane/replay.ts).
 *
 * The accept thread publishes MESSAGES messages and asks for MOVES moves, each at any time, so also while the topic is
 * leaving or arriving. Lanes die DEATHS times, between any two of their steps, and get a successor some time later, which
 * comes up some time after it was started.
 *
 * Shown: every message is in the topic's log exactly once, in the order of publishing, and acked exactly once with its
 * seq; only the topic's home writes to its log; the topic arrives where it was sent last; in the end nothing is held, no
 * control record waits, and no parcel is left. Nothing gets stuck.
 *
 * What stays the same wherever it lies, the topic's frames with their ingress positions, is one log here; copies of it are
 * made by the accept thread while nobody writes. An append is one step: what lies between its stores is the subject of
 * log.pml. With -DBROKEN_… a rule is broken on purpose; the search then has to find an error.
 */

#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef MOVES
#define MOVES 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define LANES 2
#define COLD LANES
#define RING_RECORDS 2
#define BATCH_RECORDS 2
#define EVENTS_MAX 4
#define DEFERRED_MAX 4
#define HELD_MAX 2
/* Ring positions are small here; this one is beyond all of them. */
#define INFINITY 255
#define NO_PARCEL 0

mtype = { OPEN, PUBLISH, CLOSE, ACK, CLOSED };

/* A lane's request ring. A position is that after a record: the n-th record's is n. */
typedef Ring {
  mtype type[RING_RECORDS];
  byte number[RING_RECORDS];       /* PUBLISH: the message; OPEN, CLOSE: the parcel */
  byte writerPosition;             /* writer: the accept thread */
  byte readerPosition              /* writer: the lane */
}
Ring ring[LANES];
#define slot(position) (((position) - 1) % RING_RECORDS)
/* What has been published of the event rings: type, message or parcel, seq. */
chan events[LANES] = [EVENTS_MAX] of { mtype, byte, byte };

/* The topic's log. Writer: its home. */
byte head = 0;                     /* message n has to have seq n: so there is no need to keep the frames */
byte headIngress = 0;              /* INGRESS_FIELD of the head's entry */

/* What the accept thread knows of the topic … */
byte home = COLD;                  /* TopicEntry.lane */
byte target = COLD;
bool isLeaving = false;            /* CLOSE is on its way; CLOSED has not come */
byte parcel = NO_PARCEL;           /* live from OPEN until CLOSED */
byte lastParcel = 0;
byte firstSeq = 0;                 /* of that parcel */
byte openPosition = INFINITY;      /* of its OPEN; not in the ring yet: INFINITY */
chan held = [HELD_MAX] of { byte };
/* … and of its lanes. */
chan deferred[LANES] = [DEFERRED_MAX] of { mtype, byte };   /* control records that found the ring full */
bool isRunning[LANES];             /* from the moment a thread is started until its end was noticed */
bool hasEnded[LANES];
byte posted[LANES];                /* the parcel that waits at the port of the lane's thread */

byte deaths = 0;
bool isStopping = false;

/* Between any two steps of a lane. */
inline mayDie() {
  if
  :: deaths < DEATHS -> deaths++; goto dead
  :: true
  fi
}

inline emit(event) {
  emittedType[emitted] = event;
  emittedNumber[emitted] = number;
  emittedSeq[emitted] = seq;
  emitted++
}

/* For the search only: what no longer matters must not tell states apart. */
inline forgetThePast() {
  if
  :: read >= end ->
     end = 0;
     replayed = 0;
     lastPosition = 0;
     nextSeq = 0;
     opened = 0
  :: else
  fi
}

/* Lane.#publish(), with Replay.find(): what did a predecessor do with the message? */
inline publish() {
  seq = head + 1;
  if
  :: read <= end ->
     if
     :: open == NO_PARCEL -> seq = 0
#ifdef BROKEN_NO_OPEN_POSITION
     :: open != NO_PARCEL && open == replayed && read <= lastPosition ->
#else
     :: open != NO_PARCEL && read <= opened -> seq = 0
     :: open != NO_PARCEL && read > opened && open == replayed && read <= lastPosition ->
#endif
        seq = nextSeq;
        nextSeq++
     :: else
     fi
  :: else
  fi;
  if
  :: seq == head + 1 ->
     /* One writer: the topic's home, under the parcel that is live. */
     assert(home == lane && open != NO_PARCEL && open == parcel);
     assert(number == seq);
     head = seq;
     headIngress = read
  :: else
  fi;
  if
  :: seq != 0 -> emit(ACK)
  :: else
  fi
}

inline openTopic() {
  if
  :: open == number
  :: open != number && posted[lane] == number ->
     open = number;
     opened = INFINITY;
     posted[lane] = NO_PARCEL
  :: else ->
     /* A predecessor has opened and closed it. */
     assert(read <= end)
  fi;
#ifndef BROKEN_OPEN_POSITION_IS_NOT_LEARNED
  if
  :: open == number && read <= end -> opened = read
  :: else
  fi
#endif
}

inline closeTopic() {
  if
  :: open == number -> open = NO_PARCEL
  :: else
  fi;
  emit(CLOSED)
}

/*
 * One thread of a lane. `startParcel` and `startPosition` are what LaneLink.parcels held when the thread was started; it
 * comes up later, so the ring may hold more by then.
 */
proctype Lane(byte lane, startParcel, startPosition) {
  byte read, end, count, number, seq, position;
  mtype type;
  /* OpenTopic */
  byte open, opened;               /* its parcel, and the position of the parcel's OPEN */
  /* Replay: `end` of what a predecessor can have seen, and the topic that was open from the start. */
  byte replayed, lastPosition, nextSeq;
  mtype emittedType[BATCH_RECORDS];
  byte emittedNumber[BATCH_RECORDS];
  byte emittedSeq[BATCH_RECORDS];
  byte emitted, reported;

  d_step {
    read = ring[lane].readerPosition;
    end = ring[lane].writerPosition;
    open = startParcel;
    opened = startPosition;
    replayed = startParcel;
    if
    :: open != NO_PARCEL ->
       nextSeq = head + 1;
       if
#ifndef BROKEN_NO_FIRST_SEQ
       :: head < firstSeq -> lastPosition = 0
#endif
       :: else -> lastPosition = headIngress
       fi;
       for (position : read + 1 .. end) {
         if
         :: ring[lane].type[slot(position)] == PUBLISH && position > opened && position <= lastPosition -> nextSeq--
         :: else
         fi
       };
       position = 0
    :: else
    fi;
    startParcel = 0;
    startPosition = 0;
    forgetThePast()
  }

  do
  /* A record of the batch. */
  :: atomic { count < BATCH_RECORDS && read < ring[lane].writerPosition && len(events[lane]) + BATCH_RECORDS <= EVENTS_MAX ->
     mayDie();
     d_step {
       count++;
       read++;
       type = ring[lane].type[slot(read)];
       number = ring[lane].number[slot(read)];
       if
       :: type == PUBLISH -> publish()
       :: type == OPEN -> openTopic()
       :: type == CLOSE -> closeTopic()
       fi;
       type = 0;
       number = 0;
       seq = 0
     } }
  /* #report(): one store shows all events of the batch. */
  :: atomic { count == BATCH_RECORDS || count > 0 && read == ring[lane].writerPosition ->
     mayDie();
     do
     :: reported < emitted ->
        events[lane] ! emittedType[reported], emittedNumber[reported], emittedSeq[reported];
        emittedType[reported] = 0;
        emittedNumber[reported] = 0;
        emittedSeq[reported] = 0;
        reported++
     :: else -> break
     od;
     reported = 0;
     emitted = 0;
     count = 0 };
     /* RingReader.release() of all that was read. */
     atomic {
       mayDie();
       d_step {
         for (position : ring[lane].readerPosition + 1 .. read) {
           ring[lane].type[slot(position)] = 0;
           ring[lane].number[slot(position)] = 0
         };
         position = 0;
         ring[lane].readerPosition = read;
         forgetThePast()
       } }
  :: isStopping -> goto stopped
  od;

dead:
  hasEnded[lane] = true;
stopped:
  true
}

/* ---- the accept thread: each of these is one turn of it ---- */

inline push(lane, kind, value) {
  ring[lane].type[slot(ring[lane].writerPosition + 1)] = kind;
  ring[lane].number[slot(ring[lane].writerPosition + 1)] = value;
  ring[lane].writerPosition++
}

#define hasRoom(lane) (ring[lane].writerPosition - ring[lane].readerPosition < RING_RECORDS)
#define takesMessages(lane) (hasRoom(lane) && len(deferred[lane]) == 0)
#define isOnItsWay (isLeaving || len(held) > 0)

inline ack(id) {
  assert(!(acked & (1 << id)));
  acked = acked | (1 << id)
}

inline appendCold(id) {
  head++;
  headIngress = 0;
  assert(id == head);
  ack(id)
}

/* TopicLink.adoptTopic() of the home that the topic is sent to. */
inline adopt() {
  home = target;
  if
  :: home != COLD ->
     lastParcel++;
     parcel = lastParcel;
     firstSeq = head + 1;
     if
     :: isRunning[home] -> posted[home] = parcel
     :: else
     fi;
     deferred[home] ! OPEN, parcel
  :: else
  fi
}

/* HandOver.#leave(): a cold topic has left at once, a lane is asked to let go. */
inline leave() {
  if
  :: home == COLD -> adopt()
  :: else ->
     deferred[home] ! CLOSE, parcel;
#ifdef BROKEN_NEW_HOME_BEFORE_CLOSED
     parcel = NO_PARCEL;
     adopt()
#else
     isLeaving = true
#endif
  fi
}

/* HandOver.move() */
inline move(lane) {
  if
  :: isOnItsWay -> target = lane
  :: else ->
     target = lane;
     if
     :: target != home -> leave()
     :: else
     fi
  fi
}

/* LaneLink.drainEvents(): ACK and CLOSED may come twice, the second one changes nothing. */
inline takeIn() {
  if
  :: type == ACK ->
     assert(seq == number);
     if
     :: acked & (1 << number)
     :: else -> ack(number)
     fi
#ifdef BROKEN_SECOND_CLOSED_COUNTS
  :: type == CLOSED && isLeaving ->
#else
  :: type == CLOSED && number == parcel && isLeaving ->
#endif
     parcel = NO_PARCEL;
     firstSeq = 0;
     openPosition = INFINITY;
     isLeaving = false;
     adopt()
  :: else
  fi
}

/* LaneLink.#retryDeferred(): nothing overtakes a control record. */
inline control() {
  deferred[lane] ? type, number;
  push(lane, type, number);
  if
  :: type == OPEN && number == parcel -> openPosition = ring[lane].writerPosition
  :: else
  fi;
  type = 0;
  number = 0;
  lane = 0
}

/* SupervisedLane.#ended(): first all that the dead thread has reported, or its successor is given what it let go. */
#ifdef BROKEN_SUCCESSOR_BEFORE_THE_REPORTS
#define isTakenIn(lane) true
#else
#define isTakenIn(lane) len(events[lane]) == 0
#endif

inline ended() {
  hasEnded[lane] = false;
  isRunning[lane] = false;
  posted[lane] = NO_PARCEL;
  lane = 0
}

inline start() {
  isRunning[lane] = true;
  if
  :: home == lane && parcel != NO_PARCEL -> run Lane(lane, parcel, openPosition)
  :: else -> run Lane(lane, NO_PARCEL, INFINITY)
  fi;
  lane = 0
}

#define isThrough(lane) (ring[lane].readerPosition == ring[lane].writerPosition && len(events[lane]) == 0)
#define isAtRest(lane) (isThrough(lane) && len(deferred[lane]) == 0)

active proctype AcceptThread() {
  byte nextMessage = 1, moves = 0, lane, number, seq;
  mtype type;
  byte acked = 0;                  /* bits */

  do
  /* Publish. What is refused (ring or hold full) was never accepted: the publisher tries again. */
  :: atomic { nextMessage <= MESSAGES && !isOnItsWay && home == COLD ->
     appendCold(nextMessage);
     nextMessage++ }
  :: atomic { nextMessage <= MESSAGES && !isOnItsWay && home != COLD && takesMessages(home) ->
     push(home, PUBLISH, nextMessage);
     nextMessage++ }
  :: atomic { nextMessage <= MESSAGES && isOnItsWay && len(held) < HELD_MAX ->
     held ! nextMessage;
     nextMessage++ }
#ifdef BROKEN_HELD_IS_OVERTAKEN
  :: atomic { nextMessage <= MESSAGES && !isLeaving && home != COLD && takesMessages(home) ->
     push(home, PUBLISH, nextMessage);
     nextMessage++ }
#endif

  /* LeavingTopic.drain() */
  :: atomic { len(held) > 0 && !isLeaving && home == COLD ->
     held ? number;
     appendCold(number);
     number = 0 }
  :: atomic { len(held) > 0 && !isLeaving && home != COLD && takesMessages(home) ->
     held ? number;
     push(home, PUBLISH, number);
     number = 0 }
  /* HandOver.#settle(): another target was asked for while the topic arrived. */
#ifdef BROKEN_SECOND_MOVE_IS_DROPPED
  :: atomic { !isOnItsWay && target != home && (target == COLD || home == COLD) ->
#else
  :: atomic { !isOnItsWay && target != home ->
#endif
     leave() }

  /* Move. At last, once the topic is where it was sent, it leaves for the accept thread. */
  :: atomic { moves < MOVES ->
     moves++;
     if
     :: target != COLD -> move(COLD)
     :: target != 0 -> move(0)
     /* The lanes are alike: the first one that is used is lane 0. */
     :: target != 1 && lastParcel > 0 -> move(1)
     fi }
  :: atomic { moves <= MOVES && nextMessage > MESSAGES && !isOnItsWay && target == home ->
     moves = MOVES + 1;
     move(COLD) }

  :: atomic { len(deferred[0]) > 0 && hasRoom(0) -> lane = 0; control() }
  :: atomic { len(deferred[1]) > 0 && hasRoom(1) -> lane = 1; control() }
  :: atomic { events[0] ? type, number, seq -> takeIn(); type = 0; number = 0; seq = 0 }
  :: atomic { events[1] ? type, number, seq -> takeIn(); type = 0; number = 0; seq = 0 }

  :: atomic { hasEnded[0] && isTakenIn(0) -> lane = 0; ended() }
  :: atomic { hasEnded[1] && isTakenIn(1) -> lane = 1; ended() }
  :: atomic { !isRunning[0] -> lane = 0; start() }
  :: atomic { !isRunning[1] -> lane = 1; start() }

  :: moves == MOVES + 1 && home == COLD && !isOnItsWay && isAtRest(0) && isAtRest(1) -> break
  od;
  isStopping = true;

  assert(parcel == NO_PARCEL && head == MESSAGES && acked == (1 << (MESSAGES + 1)) - 2)
}
