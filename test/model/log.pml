/*
 * Frame log: eviction, the copy, and the second look at the tail (src/log/shared-log.ts), with a writer that may die.
 *
 * One writer appends FRAMES frames of 1 or 2 bytes to a log of DATA_BYTES bytes and SLOTS index slots, so it laps both.
 * It may die between any two of its stores; a successor then goes on from what lies in shared memory. One reader follows
 * at its own pace and may be lapped at any moment. Each store and load of shared memory is a step of its own.
 *
 * Shown: a slice that the reader uses is, byte for byte, the frames it asked for; the reader moves over a frame only when
 * it has used it or has learned that it is evicted; both always come to their end.
 *
 * The frames' bytes say which frame they belong to and which life of the writer wrote them. Names in capitals and in
 * comments are those of the code. With -DBROKEN_… a rule is broken on purpose; the search then has to find an error.
 */

#ifndef FRAMES
#define FRAMES 5
#endif
#define DATA_BYTES 4
#define SLOTS 4
#define DEATHS 1

#define slot(index) ((index) % SLOTS)
#define mark(index, life) ((index) * 2 + (life))

/* Shared memory. Writer: the lane. Readers: the accept thread. */
byte headWord = 0;           /* HEAD_WORD */
byte tailWord = 1;           /* TAIL_WORD */
byte position[SLOTS];        /* POSITION_FIELD of the index entries */
byte data[DATA_BYTES];

/* What really was committed, for the assertions only. */
byte committedEnd[FRAMES + 2];
bit committedLife[FRAMES + 2];
byte deaths = 0;

/* After any store of the writer. */
inline mayDie() {
  if
  :: deaths < DEATHS -> deaths++; goto dead
  :: true
  fi
}

/* evict(): says that everything below is going to be overwritten. */
inline evict() {
  atomic { tailWord = tail; mayDie() }
}

active proctype Writer() {
  byte head, tail, index, lowest, writePosition, bytes, written;
  bit life = 0;

resume:
  /* new SharedLog(): everything that a writer has to know, it finds in shared memory. */
  atomic {
    tail = tailWord;
    head = headWord;
#ifdef BROKEN_RESUME_AT_ZERO
    writePosition = 0
#else
    writePosition = position[slot(head + 1)]
#endif
  }

  do
  :: head < FRAMES ->
     /* begin(): #needsRoom, makeRoom */
     if
     :: bytes = 1
     :: bytes = 2
     fi;
     d_step {
       index = head + 1;
       written = 0;
       lowest = 0;
       if
       :: writePosition + bytes > DATA_BYTES -> lowest = writePosition + bytes - DATA_BYTES
       :: else
       fi;
       do
#ifdef BROKEN_NO_SLOT_FOR_THE_NEXT
       :: tail < index && (position[slot(tail)] < lowest || index - tail > SLOTS - 1) -> tail++
#else
       :: tail < index && (position[slot(tail)] < lowest || index + 1 - tail > SLOTS - 1) -> tail++
#endif
       :: else -> break
       od
     };
#ifndef BROKEN_EVICT_AFTER_OVERWRITING
     if
     :: tail != tailWord -> evict()
     :: else
     fi;
#endif
     atomic { position[slot(index)] = writePosition; mayDie() }

#ifdef BROKEN_COMMIT_BEFORE_WRITING
     d_step { headWord = index; committedLife[index] = life; committedEnd[index] = writePosition + bytes };
#endif
     /* write() */
     do
     :: written < bytes ->
        atomic { data[(writePosition + written) % DATA_BYTES] = mark(index, life); written++; mayDie() }
     :: else -> break
     od;
#ifdef BROKEN_EVICT_AFTER_OVERWRITING
     if
     :: tail != tailWord -> evict()
     :: else
     fi;
#endif

     /* commit() */
     atomic { writePosition = writePosition + bytes; position[slot(index + 1)] = writePosition; mayDie() }
     atomic {
       d_step { head = index; headWord = index; committedLife[index] = life; committedEnd[index] = writePosition };
       mayDie() }
  :: else -> goto done
  od;

dead:
  true;
  /* Nothing of what only the dead thread knew is left. */
  d_step { head = 0; tail = 0; index = 0; lowest = 0; writePosition = 0; bytes = 0; written = 0; life = 1 };
  goto resume;

done:
  skip
}

/* isStillRetained(): a read-modify-write of the tail. */
inline learnTail() {
  viewTail = tailWord
}

/* The slice that was accepted is what was committed. */
inline checkSlice() {
  d_step {
    assert(cursor >= 1 && until > cursor && until <= headWord + 1);
    assert(length == committedEnd[until - 1] - committedEnd[cursor - 1]);
    at = 0;
    index = cursor;
    do
    :: at < length ->
       do
       :: committedEnd[cursor - 1] + at >= committedEnd[index] -> index++
       :: else -> break
       od;
       assert(target[at] == mark(index, committedLife[index]));
       at++
    :: else -> break
    od;
    at = 0;
    index = 0
  }
}

active proctype Reader() {
  byte cursor = 1, viewHead = 0, viewTail = 1, until, from, at, index;
  short length;
  byte target[DATA_BYTES];

  do
  :: cursor <= FRAMES ->
     if
     :: cursor < viewTail || cursor > viewHead ->
        /* Idle until something has moved (HEAD) or lapped (#settleLag): refresh(), the tail first. */
        (headWord != viewHead || cursor < viewTail);
        viewTail = tailWord;
        viewHead = headWord;
        if
        :: cursor < viewTail ->
progressGap:
           /* GAP: what is skipped is announced, and is indeed gone. */
           assert(viewTail <= tailWord);
           cursor = viewTail
        :: else
        fi
     :: else ->
        until = cursor + 1;
        do
        :: until <= viewHead -> until++
        :: break
        od;
#ifdef BROKEN_TAIL_READ_BEFORE_THE_COPY
        learnTail();
#endif
        /* copy(): an index entry that was overwritten meanwhile can say anything. */
        from = position[slot(cursor)];
        length = position[slot(until)];
        length = length - from;
        if
        :: length < 0 || length > DATA_BYTES ->
#ifndef BROKEN_TAIL_NOT_LEARNED
           learnTail();
#endif
           skip
        :: else ->
           at = 0;
           do
           :: at < length ->
              d_step { target[at] = data[(from + at) % DATA_BYTES]; at++ }
           :: else -> break
           od;
#ifndef BROKEN_TAIL_READ_BEFORE_THE_COPY
           learnTail();
#endif
           if
           :: cursor >= viewTail ->
progressSlice:
              checkSlice();
              cursor = until
           :: else
           fi
        fi;
        /* For the search only: what no longer matters must not tell states apart. */
        d_step { until = 0; from = 0; length = 0; at = 0; target[0] = 0; target[1] = 0; target[2] = 0; target[3] = 0 }
     fi
  :: else -> break
  od
}
