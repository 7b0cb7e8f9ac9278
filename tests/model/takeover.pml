/* SPDX-License-Identifier: Apache-2.0
 *
 * How the enricher takes a partition over, and why nothing is written twice
 * or not at all: one partition of events and of state, two instances, and a
 * Kafka that is as slow and as badly timed as it is allowed to be.
 *
 * A "bridge:" comment names the functions that do in C what the step below it
 * does here; check.py looks whether they still exist. "Kafka:" and
 * "librdkafka:" mark what is not ours.
 *
 * There is no step "pause": between any two steps of an instance everything
 * else may happen, its own eviction included. A process that is stopped, or a
 * request that is slow on its way, is just that.
 *
 * Not here: two processes with one instance_id; a record that Kafka appends
 * after its transaction's marker (KIP-890); rows, retries and dead letters,
 * which are further records of the same transactions.
 *
 * check.py defines the bounds and, one at a time, the mutations:
 * NO_STABLE_WAIT      the first trap: committed offsets are taken as they are
 * NO_HIGH_WATERMARK   the second: state is read to the last stable offset
 * NO_GROUP_METADATA   offsets are sent without the member's generation
 * NO_REVOKE           what was begun before a rebalance goes on after it
 * NO_STATE            nothing is read back
 * OUTPUT_OUTSIDE      records are sent apart from the transaction
 * OFFSETS_OUTSIDE     offsets are committed apart from the transaction
 * FORGETS_GENERATION  a member that was put out says "generation -1", which
 *                     Kafka takes from anybody when the group is empty.
 *                     librdkafka keeps the number, and is refused; this is
 *                     the one assumption about it that all rests on. */

#ifndef CRASHES
#define CRASHES 1 /* an instance dies, or rebuilds its session */
#endif
#ifndef EVICTIONS
#define EVICTIONS 2 /* a live member misses its session timeout */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 1 /* a live instance's transaction is timed out */
#endif
#ifndef REFUSALS
#define REFUSALS 1 /* an abort for no reason of the protocol's */
#endif

#define INSTANCES 2
#ifndef IDS
#define IDS 2
#endif
#if IDS == 1
#define EVENTS   2
#define ID_AT(o) 0 /* the vendor delivered its event twice */
#else
#define EVENTS   3
#define ID_AT(o) ((o) % 2) /* 0, 1, and 0 again */
#endif
#define NOTHING  7 /* no offset */
#define LOG_MAX  6

/* --- Kafka ----------------------------------------------------------------*/

mtype = { NONE, OPEN, COMMITTING, ABORTING }; /* a transaction's phases */
mtype = { EMPTY, PREPARING, STABLE };	      /* the group's */
mtype = { UNSET, FORMER, CURRENT };	      /* a generation, as known */
mtype = { UNKNOWN, NEW, WAITING, DONE };      /* an event id's states */
mtype = { UNDECIDED, COMMITTED, ABORTED };    /* a record's */
mtype = { DOWN, SESSION, POLL, STABILITY, TARGET, READING, POSITIONS,
	COMMIT, UNDO }; /* where an instance is */
mtype = { SILENCE, NO_PARTITION, PARTITION }; /* JoinGroup's answer */

typedef record {
	byte id;
	mtype what;
	byte owner;
	mtype fate
};
record log[LOG_MAX]; /* the state topic */
byte high_watermark; /* its end, for a read_uncommitted client */
byte last_stable;    /* its end, for a read_committed one */

byte committed; /* the group's offset */

typedef transaction {
	mtype phase = NONE;
	bool is_state_due;   /* markers not written yet */
	bool is_offsets_due;
	byte offset = NOTHING; /* sent, neither committed nor aborted */
	bool is_fenced;	       /* the client's epoch is a former one */
};
transaction transactions[INSTANCES]; /* one transactional id each */

mtype group = EMPTY;
byte owner = NOTHING;
typedef membership {
	bool is_member;
	bool has_joined; /* the generation that is being prepared */
};
membership members[INSTANCES];

byte outputs[IDS]; /* what a read_committed consumer gets to see */

byte crashes = CRASHES, evictions = EVICTIONS, timeouts = TIMEOUTS,
     refusals = REFUSALS;
byte gone = NOTHING; /* the instance that does not come back */
bool is_begun;

/* Scratch: of no meaning from one step to the next. */
hidden byte i, k, to;
hidden byte is_kept, cut[INSTANCES];

/* --- the instances --------------------------------------------------------*/

typedef instance {
	mtype at = DOWN;
	/* librdkafka's part */
	mtype generation = UNSET;
	mtype answer = SILENCE;
	bool wants_to_join;
	bool is_told; /* to give up its partitions and join again */
	bool is_queued; /* records that are not with Kafka yet */
	/* ours */
	bool has_partition;
	bool has_moved;
	byte position;
	byte target;
	mtype known[IDS];
	mtype next[IDS]; /* UNKNOWN: the transaction says nothing of it */
};
instance instances[INSTANCES];

#define ME   instances[me]
#define MINE transactions[me]
#define WE   members[me]

inline forget(n)
{
	instances[n].has_partition = false;
	instances[n].has_moved = false;
	instances[n].position = 0;
	instances[n].target = 0;
	instances[n].is_queued = false;
	for (i : 0 .. IDS - 1) {
		instances[n].known[i] = UNKNOWN;
		instances[n].next[i] = UNKNOWN
	}
}

inline die(n)
{
	forget(n);
	instances[n].at = DOWN;
	instances[n].generation = UNSET;
	instances[n].answer = SILENCE;
	instances[n].wants_to_join = false;
	instances[n].is_told = false
}

/* Kafka: aborts what is open; markers follow. */
inline abort_open()
{
	if
	:: MINE.phase == OPEN ->
		MINE.phase = ABORTING;
		MINE.is_state_due = true;
		MINE.is_offsets_due = true
	:: else
	fi
}

/* Kafka: the first record or offset adds its partition. */
inline open()
{
	if
	:: MINE.phase == NONE && !MINE.is_fenced -> MINE.phase = OPEN
	:: else
	fi
}

inline append(an_id, a_state)
{
	assert(high_watermark < LOG_MAX);
	log[high_watermark].id = an_id;
	log[high_watermark].what = a_state;
	log[high_watermark].owner = me;
	log[high_watermark].fate = UNDECIDED;
	high_watermark++
}

/* Kafka: the first record whose transaction is undecided. */
inline find_last_stable()
{
	last_stable = 0;
	do
	:: last_stable < high_watermark &&
	    log[last_stable].fate != UNDECIDED -> last_stable++
	:: else -> break
	od
}

/* Kafka: compaction. What is aborted goes, and what is superseded, unless a
 * reader will not come as far as what supersedes it. It keeps the model
 * finite; nobody remembers an offset but the readers. */
#define IS_SEEN(n, m) (instances[n].at != READING || m < instances[n].target)

inline clean()
{
	to = 0;
	for (i : 0 .. high_watermark - 1) {
		is_kept = log[i].fate != ABORTED;
		for (k : i + 1 .. last_stable - 1) {
			is_kept = is_kept &&
			    !(log[k].fate == COMMITTED &&
				log[k].id == log[i].id && IS_SEEN(0, k) &&
				IS_SEEN(1, k))
		}
		if
		:: is_kept ->
			copy(to, i);
			to++
		:: else ->
			cut[0] = cut[0] + (i < instances[0].target);
			cut[1] = cut[1] + (i < instances[1].target)
		fi
	}
	for (i : 0 .. INSTANCES - 1) {
		instances[i].target = instances[i].target - cut[i];
		cut[i] = 0
	}
	for (i : to .. high_watermark - 1) {
		blank(i)
	}
	high_watermark = to;
	find_last_stable();
	is_kept = 0 /* a step may not end with a loop */
}

inline copy(here, there)
{
	log[here].id = log[there].id;
	log[here].what = log[there].what;
	log[here].owner = log[there].owner;
	log[here].fate = log[there].fate
}

inline blank(here)
{
	log[here].id = 0;
	log[here].what = 0;
	log[here].owner = 0;
	log[here].fate = 0
}

inline next_generation()
{
	for (i : 0 .. INSTANCES - 1) {
		if
		:: instances[i].generation == CURRENT ->
			instances[i].generation = FORMER
		:: else
		fi
	}
}

#ifndef NO_STABLE_WAIT
#define IS_STABLE                                   \
	(transactions[0].offset == NOTHING &&       \
	    transactions[1].offset == NOTHING)
#else
#define IS_STABLE true
#endif

/* What it is told it hears when it polls, which each round begins with; a
 * round that is under way is one that was told a little later. */
#define IS_AT_WORK  (ME.at == POLL && ME.has_partition && !ME.is_told)
#define CAN_BEGIN   (MINE.phase == NONE || MINE.phase == OPEN)
#define IS_DIRTY(n) (ME.next[n] != UNKNOWN)
#if IDS == 1
#define IS_ANY_DIRTY   (IS_DIRTY(0))
#define IS_ALL_THERE   (outputs[0] > 0)
#else
#define IS_ANY_DIRTY   (IS_DIRTY(0) || IS_DIRTY(1))
#define IS_ALL_THERE   (outputs[0] > 0 && outputs[1] > 0)
#endif

inline restore(until)
{
	for (i : 0 .. until - 1) {
		if
#ifndef NO_STATE
		:: log[i].fate == COMMITTED ->
			ME.known[log[i].id] = log[i].what
#endif
		:: else
		fi
	}
	ME.has_partition = true;
	ME.target = 0;
	ME.at = POLL;
	clean()
}

/* What read_committed consumers get to see, they may not see twice. */
inline publish(n)
{
	outputs[n]++;
	assert(outputs[n] <= 1)
}

#define MAY_FINISH(n)                                             \
	(IS_AT_WORK && ME.known[n] == WAITING && !IS_DIRTY(n) && \
	    CAN_BEGIN)

inline finish(n)
{
	open();
	ME.next[n] = DONE;
#ifdef OUTPUT_OUTSIDE
	publish(n)
#endif
}

active [INSTANCES] proctype Instance()
{
	byte me = _pid % INSTANCES;

end:
	do
	/* bridge: run worker_open consume_open kafka_consumer_open */
	:: d_step {
		ME.at == DOWN && gone != me ->
		ME.at = SESSION;
		ME.wants_to_join = true
	}

	/* bridge: commit_open kafka_producer_begin_session
	 * Kafka: a former life's transaction is ended before this answers. */
	:: d_step {
		ME.at == SESSION && MINE.phase != COMMITTING &&
		    MINE.phase != ABORTING ->
		if
		:: MINE.phase == OPEN -> abort_open()
		:: else ->
			MINE.is_fenced = false;
			ME.at = POLL
		fi
	}

	/* bridge: on_rebalance on_revoke on_revoked commit_undo
	 * bridge: drop_partition drop_partitions
	 * librdkafka: joins again only when this is done. */
	:: d_step {
		ME.at == POLL && ME.is_told && ME.answer == SILENCE ->
#ifndef NO_REVOKE
		if
		:: MINE.is_fenced -> die(me) /* is_broken */
		:: else ->
			abort_open();
			forget(me);
			ME.is_told = false;
			ME.wants_to_join = true
		fi
#else
		ME.is_told = false;
		ME.wants_to_join = true
#endif
	}

	/* bridge: on_assign partitions_hold partitions_restore */
	:: d_step {
		ME.at == POLL && ME.answer != SILENCE ->
		if
		:: ME.answer == PARTITION ->
			forget(me);
			ME.at = STABILITY
		:: else
		fi;
		ME.answer = SILENCE
	}

	/* bridge: wait_for_stable_offsets kafka_consumer_committed
	 * bridge: begin_at_first */
	:: d_step {
		ME.at == STABILITY && IS_STABLE ->
		ME.position = committed;
		ME.at = TARGET
	}

	/* bridge: find_targets kafka_consumer_bounds */
	:: d_step {
		ME.at == TARGET ->
#ifndef NO_HIGH_WATERMARK
		ME.target = high_watermark;
#else
		ME.target = last_stable;
#endif
		ME.at = READING
	}

	/* bridge: read_state read_until remember on_restored
	 * It may see more than it has to. */
	:: d_step {
		ME.at == READING && last_stable >= ME.target ->
		restore(last_stable)
	}
	:: d_step {
		ME.at == READING && last_stable > ME.target ->
		restore(ME.target)
	}

	/* bridge: consume_poll take_event consume_release */
	:: d_step {
		IS_AT_WORK && ME.position < EVENTS ->
		i = ID_AT(ME.position);
		if
		:: ME.known[i] == UNKNOWN ->
			ME.known[i] = NEW;
			ME.next[i] = WAITING
		:: else
		fi;
		ME.position++;
#ifdef OFFSETS_OUTSIDE
		committed = ME.position;
#endif
		ME.has_moved = true
	}

	/* bridge: outcome_settle_all complete send_record commit_touch
	 * The vendor has answered. A work whose intake is not committed was
	 * not asked for yet. */
	:: d_step { MAY_FINISH(0) -> finish(0) }
#if IDS > 1
	:: d_step { MAY_FINISH(1) -> finish(1) }
#endif

	/* bridge: transaction_end commit_end send_state
	 * Kafka: the next transaction begins when the last is complete. */
	:: d_step {
		IS_AT_WORK && CAN_BEGIN && (ME.has_moved || IS_ANY_DIRTY) ->
		ME.is_queued = IS_ANY_DIRTY;
		ME.at = POSITIONS
	}

	/* bridge: finish kafka_producer_send_positions
	 * Kafka: TxnOffsetCommit. Asks for membership in the generation, not
	 * for the partition; of a group without members, for nothing. */
	:: d_step {
		ME.at == POSITIONS ->
		if
		:: MINE.is_fenced -> die(me)
		:: else ->
			if
#ifdef NO_GROUP_METADATA
			:: true ->
#else
			:: (WE.is_member && ME.generation == CURRENT) ||
			    (group == EMPTY && ME.generation == UNSET) ->
#endif
				open();
				MINE.offset = ME.position;
				ME.at = COMMIT
			:: else -> ME.at = UNDO
			fi
		fi
	}

	/* Something else failed: a record timed out, a broker went. */
	:: d_step {
		(ME.at == POSITIONS || ME.at == COMMIT) && refusals > 0 ->
		refusals--;
		ME.at = UNDO
	}

	/* bridge: kafka_producer_commit work_committed consume_settled
	 * librdkafka: flushes first. Kafka: decides here; from now on it is
	 * only a question of when the markers are written. */
	:: d_step {
		ME.at == COMMIT && !ME.is_queued ->
		if
		:: MINE.is_fenced -> die(me)
		:: else ->
			MINE.phase = COMMITTING;
			MINE.is_state_due = true;
			MINE.is_offsets_due = true;
			for (i : 0 .. IDS - 1) {
				if
#ifndef OUTPUT_OUTSIDE
				:: ME.next[i] == DONE -> publish(i)
#endif
				:: else
				fi;
				if
				:: IS_DIRTY(i) -> ME.known[i] = ME.next[i]
				:: else
				fi;
				ME.next[i] = UNKNOWN
			}
			ME.has_moved = false;
			ME.at = POLL
		fi
	}

	/* bridge: undo kafka_producer_abort work_undone work_undo */
	:: d_step {
		ME.at == UNDO ->
		if
		:: MINE.is_fenced -> die(me)
		:: else ->
			abort_open();
			ME.is_queued = false;
			for (i : 0 .. IDS - 1) {
				if
				:: ME.known[i] != NEW -> ME.next[i] = UNKNOWN
				:: else
				fi
			}
			ME.at = POLL
		fi
	}
	od
}

/* librdkafka: what the producer's threads do beside the instance. */
active [INSTANCES] proctype Producer()
{
	byte me = _pid % INSTANCES;

end:
	do
	/* Sends what is queued, before or after the offsets. */
	:: d_step {
		ME.is_queued ->
		if
		:: !MINE.is_fenced ->
			open();
			for (i : 0 .. IDS - 1) {
				if
				:: IS_DIRTY(i) -> append(i, ME.next[i])
				:: else
				fi
			}
		:: else /* the commit will say so */
		fi;
		ME.is_queued = false
	}
	od
}

/* librdkafka: what the member's threads do. */
active [INSTANCES] proctype Member()
{
	byte me = _pid % INSTANCES;

end:
	do
	/* Joins. Kafka: a static member that comes back into a stable group
	 * has the former life's place at once. */
	:: d_step {
		ME.wants_to_join ->
		ME.wants_to_join = false;
		if
		:: WE.is_member && group == STABLE &&
		    ME.generation == UNSET ->
			ME.generation = CURRENT;
			if
			:: owner == me -> ME.answer = PARTITION
			:: else -> ME.answer = NO_PARTITION
			fi
		:: else ->
			WE.is_member = true;
			WE.has_joined = true;
			group = PREPARING
		fi
	}

	/* A heartbeat's answer: a new generation is prepared, or this is no
	 * member any more. */
	:: d_step {
		ME.at != DOWN && !ME.is_told && !ME.wants_to_join &&
		    (!WE.is_member ||
			(group == PREPARING && !WE.has_joined)) ->
		ME.is_told = true;
#ifdef FORGETS_GENERATION
		if
		:: !WE.is_member -> ME.generation = UNSET
		:: else
		fi
#endif
	}
	od
}

/* Kafka: the transaction coordinator, for one transactional id. */
active [INSTANCES] proctype Coordinator()
{
	byte me = _pid % INSTANCES;

end:
	do
	/* Kafka: transaction.timeout.ms */
	:: d_step {
		MINE.phase == OPEN && ME.at == DOWN ->
		abort_open();
		MINE.is_fenced = true
	}
	:: d_step {
		MINE.phase == OPEN && ME.at != DOWN && timeouts > 0 ->
		timeouts--;
		abort_open();
		MINE.is_fenced = true
	}

	/* Kafka: the markers, one partition after the other, in any order. */
	:: d_step {
		MINE.is_offsets_due ->
		if
		:: MINE.phase == COMMITTING && MINE.offset != NOTHING ->
			committed = MINE.offset
		:: else
		fi;
		MINE.offset = NOTHING;
		MINE.is_offsets_due = false;
		if
		:: !MINE.is_state_due -> MINE.phase = NONE
		:: else
		fi
	}
	:: d_step {
		MINE.is_state_due ->
		for (i : 0 .. high_watermark - 1) {
			if
			:: log[i].owner == me && log[i].fate == UNDECIDED ->
				if
				:: MINE.phase == COMMITTING ->
					log[i].fate = COMMITTED
				:: else -> log[i].fate = ABORTED
				fi
			:: else
			fi
		}
		MINE.is_state_due = false;
		find_last_stable();
		if
		:: !MINE.is_offsets_due -> MINE.phase = NONE
		:: else
		fi;
		clean()
	}
	od
}

#define IS_COMPLETE                                           \
	(group == PREPARING &&                                 \
	    (!members[0].is_member || members[0].has_joined) && \
	    (!members[1].is_member || members[1].has_joined))
#define MAY_EVICT(n) (instances[n].at == DOWN || evictions > 0)

/* A life that is over does not hear the answer; the next one asks again. */
inline assign(an_owner)
{
	owner = an_owner;
	is_begun = true;
	next_generation();
	for (i : 0 .. INSTANCES - 1) {
		if
		:: members[i].is_member && instances[i].at != DOWN &&
		    !instances[i].wants_to_join ->
			instances[i].generation = CURRENT;
			if
			:: owner == i -> instances[i].answer = PARTITION
			:: else -> instances[i].answer = NO_PARTITION
			fi
		:: else
		fi;
		members[i].has_joined = false
	}
	group = STABLE
}

inline evict(n)
{
	if
	:: instances[n].at != DOWN -> evictions--
	:: else
	fi;
	members[n].is_member = false;
	members[n].has_joined = false;
	owner = NOTHING;
	if
	:: members[1 - n].is_member -> group = PREPARING
	:: else ->
		group = EMPTY;
		next_generation()
	fi
}

/* Kafka: the group coordinator. */
active proctype Group()
{
end:
	do
	:: d_step { IS_COMPLETE && members[0].is_member -> assign(0) }
	/* The two are alike: call the first owner 0. */
	:: d_step {
		IS_COMPLETE && members[1].is_member && is_begun -> assign(1)
	}

	/* Kafka: session.timeout.ms */
	:: d_step { members[0].is_member && MAY_EVICT(0) -> evict(0) }
	:: d_step { members[1].is_member && MAY_EVICT(1) -> evict(1) }
	od
}

/* One of the two may not come back; the other has to, some day. */
active proctype Misfortune()
{
end:
	do
	:: d_step {
		crashes > 0 && instances[0].at != DOWN ->
		crashes--;
		die(0)
	}
	:: d_step {
		crashes > 0 && instances[1].at != DOWN ->
		crashes--;
		die(1)
	}
	:: d_step {
		instances[0].at == DOWN && gone == NOTHING && is_begun ->
		gone = 0
	}
	:: d_step { instances[1].at == DOWN && gone == NOTHING -> gone = 1 }
	od
}

/* At most once is asserted where outputs are published; this is at least
 * once, if everybody who can go on does go on some day. */
ltl settled { <> (IS_ALL_THERE && committed == EVENTS) }
