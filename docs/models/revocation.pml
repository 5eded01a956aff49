/*
 * Revocations and tickets in a cluster that breaks: what an Authenticator does
 * with a RevocationLog, checked in every order of steps and faults by spin. The
 * script "check" beside this file runs it.
 *
 * Server 0 is told to revoke twice, where the second revocation covers the first;
 * it can crash at any moment and lose contact with the log. Server 1 joins late.
 * The log is a replicated one: its leader takes a write, which is stored once a
 * majority has it; a leader that lost the majority keeps it pending, and may lose
 * it to the next leader. With -DTICKETS nothing is revoked, and one ticket is
 * shown to both servers, twice each.
 *
 * The steps bear the names of the functions: Revoke with share and later, write,
 * replace; shareAll; openUnshared; Follow with apply and caughtUp; useUp with the
 * ledger of the process and FirstUse.
 *
 * What holds:
 *   when nothing more can happen, a revocation that was acknowledged, by the log
 *   or because it waits in the directory, is refused by both servers; with
 *   -DLIVE and one revocation alone, that also comes to pass (ltl kept)
 *   a ticket is good once at most
 *   caughtUp(true) is said to those who have all that was stored (-DCURRENT)
 *   nothing is revoked that nobody revoked
 *
 * Each of these takes a guard out, and then spin finds what goes wrong:
 *   EXISTS_IS_STORED   an equal write that is pending counts as stored
 *   WAITS_IN_MEMORY    Revoke acknowledges what waits in memory only
 *   WRITE_LATER        Revoke acknowledges before it has written the file
 *   REMOVE_FIRST       the covered file goes before the new one is there
 *   NO_RETRY           what waits is not tried again
 *   BELIEVE_REPLICA    caughtUp(true) when the replica has no more, which may lag
 *   UNKNOWN_IS_FIRST   a first use whose answer was lost counts as one
 *   LEDGER_ALONE       the log is not asked about tickets
 *   LOG_ALONE          the ledger of the process is not asked
 */

#define SERVERS 2
#define UNKNOWN 0 /* an error: perhaps stored */
#define STORED  1
#define ASKED   2
#ifndef MAX_CUTS
#define MAX_CUTS 2 /* of the majority */
#endif

bool stored[2], pending[2], replica[2]; /* the log, and the replica that followers read */
bool majority = true;
byte cuts;

bool link[SERVERS]; /* contact with the log */
bool holds[4];      /* server * 2 + revocation */

bool queued[2], file[2]; /* of server 0: in memory, in the directory */
byte epoch;              /* of server 0: how often it has crashed */

bool called[2], acknowledged[2];

bool useStored, usePending, purged, ledger[2];
byte useOwner;           /* whose write it is */
byte good, goodAt[2];

#define H(i, r) holds[(i) * 2 + (r)]
#define REFUSED0(i) (H(i, 0) || H(i, 1))

#define KEPT ((!acknowledged[0] || REFUSED0(0) && REFUSED0(1)) && (!acknowledged[1] || H(0, 1) && H(1, 1)))

#if defined(LIVE) || defined(CURRENT)
#define LAST 1 /* revocation 0 alone */
#else
#define LAST 2
#endif

#ifdef LIVE
ltl kept { [] (acknowledged[0] -> <> [] (REFUSED0(0) && REFUSED0(1))) }
#endif

/* RevocationLog.Append by server 0. */
inline Append(r, result) {
	atomic {
		if
		:: !link[0] -> result = UNKNOWN
		:: link[0] && stored[r] -> result = STORED /* a read through the leader finds it */
		:: link[0] && !stored[r] && pending[r] ->
#ifdef EXISTS_IS_STORED
			result = STORED
#else
			result = UNKNOWN /* a read through the leader does not find it */
#endif
		:: link[0] && !stored[r] && !pending[r] -> pending[r] = true; result = ASKED
		fi
	}
	if
	:: result != ASKED
	:: result == ASKED && stored[r] -> result = STORED
	:: result == ASKED -> result = UNKNOWN /* the answer is lost, or late */
	fi
}

/* unlessCrashed does a step of the process of server 0 that began in epoch e. */
#define UNLESS_CRASHED(step) atomic { if :: e == epoch -> step :: else fi }

inline removeCovered(r) {
	UNLESS_CRASHED(if :: r == 1 -> queued[0] = false; file[0] = false :: else fi)
}

/* The caller of server 0. Whose call ends with a crash may or may not call again. */
proctype Revoke() {
	byte r = 0, e, result;
	do
	:: r == LAST -> break
	:: r < LAST ->
		atomic { e = epoch; called[r] = true; H(0, r) = true } /* apply */
		Append(r, result);
		if
		:: result == STORED -> /* shared */
			removeCovered(r)
		:: else -> /* later */
			UNLESS_CRASHED(queued[r] = true);
#ifdef WRITE_LATER
			UNLESS_CRASHED(acknowledged[r] = true);
#endif
#ifdef REMOVE_FIRST
			removeCovered(r);
#endif
#ifndef WAITS_IN_MEMORY
			UNLESS_CRASHED(file[r] = true); /* write */
#endif
			removeCovered(r) /* replace */
		fi;
		atomic {
			if
			:: e == epoch -> acknowledged[r] = true; r++
			:: e != epoch -> r++
			:: e != epoch -> skip
			fi
		}
	od
}

/* What waits is tried again and again. */
proctype shareAll() {
	byte r, e, result;
end:	do
#ifndef NO_RETRY
	:: atomic { queued[0] || queued[1] -> e = epoch; if :: queued[0] -> r = 0 :: queued[1] -> r = 1 fi }
		Append(r, result);
		if
		:: result == STORED -> UNLESS_CRASHED(queued[r] = false; file[r] = false)
		:: else
		fi
#endif
	:: false
	od
}

/* A crash of server 0 takes what is in memory; openUnshared reads the directory
 * before the first token is judged. */
proctype crash() {
	atomic {
		epoch++;
		H(0, 0) = file[0];
		H(0, 1) = file[1];
		queued[0] = file[0];
		queued[1] = file[1];
		ledger[0] = false
	}
}

#define APPLY(i, r) atomic { link[i] && replica[r] && !H(i, r) -> assert(called[r]); H(i, r) = true }

/* Follow of both servers, from the first entry on after a crash. */
proctype Follow() {
end:	do
	:: APPLY(0, 0)
	:: APPLY(0, 1)
	:: APPLY(1, 0)
	:: APPLY(1, 1)
	od
}

/* Whether a server that follows has all: it asks for the last entry, and is
 * current when that has arrived. */
proctype caughtUp(byte i) {
	bool was0, was1, want0, want1;
	byte e;
	atomic {
		link[i] && majority;
		e = epoch;
		was0 = stored[0];
		was1 = stored[1];
#ifdef BELIEVE_REPLICA
		want0 = replica[0];
		want1 = replica[1]
#else
		want0 = was0;
		want1 = was1
#endif
	}
	atomic {
		(!want0 || H(i, 0)) && (!want1 || H(i, 1));
		assert(i == 0 && e != epoch || (!was0 || H(i, 0)) && (!was1 || H(i, 1)))
	}
}

/* A ticket is shown to a server. */
proctype useUp(byte i) {
	byte result, n = 0;
	do
	:: n == 2 -> break
	:: n < 2 ->
		n++;
#ifndef LOG_ALONE
		if
		:: atomic { !ledger[i] -> ledger[i] = true }
		:: ledger[i] -> goto next /* ErrTicketUsed */
		fi;
#endif
#ifdef LEDGER_ALONE
		result = STORED;
#else
		atomic { /* FirstUse */
			if
			:: link[i] && !useStored && !usePending -> usePending = true; useOwner = i + 2 * n; result = ASKED
			:: else -> result = UNKNOWN /* no contact, used before, or under way: never the first */
#ifdef UNKNOWN_IS_FIRST
				if :: !useStored -> result = STORED :: else fi
#endif
			fi
		}
		if
		:: result != ASKED
		:: result == ASKED && useStored && useOwner == i + 2 * n -> result = STORED
		:: result == ASKED ->
#ifdef UNKNOWN_IS_FIRST
			result = STORED
#else
			result = UNKNOWN
#endif
		fi;
#endif
		atomic {
			if
			:: result == STORED ->
				good++;
				goodAt[i]++;
				assert(good == 1 || purged);
				assert(goodAt[i] == 1 || purged && epoch > 0 && i == 0)
			:: else
			fi
		}
next:		skip
	od
}

/* The log itself, and its replica. */
proctype commit() {
end:	do
	:: atomic { majority && pending[0] -> pending[0] = false; stored[0] = true }
	:: atomic { majority && pending[1] -> pending[1] = false; stored[1] = true }
	:: atomic { majority && usePending -> usePending = false; useStored = true }
	:: atomic { stored[0] && !replica[0] -> replica[0] = true }
	:: atomic { stored[1] && !replica[1] -> replica[1] = true }
	od
}

/* The majority is lost, and the next leader does not know all that was pending. */
proctype partition() {
	do
	:: cuts < MAX_CUTS ->
		atomic { cuts++; majority = false }
		atomic {
			majority = true;
			if :: pending[0] = false :: skip fi;
			if :: pending[1] = false :: skip fi;
			if :: usePending = false :: skip fi
		}
	:: break
	od
}

/* Server 0 may lose contact, and server 1 joins. */
proctype contact() {
	link[0] = false;
	link[0] = true;
	link[1] = true
}

/* Somebody deletes what the log knows about tickets. */
proctype purge() {
	if
	:: atomic { useStored -> useStored = false; purged = true }
	:: skip
	fi
}

init {
	atomic {
		link[0] = true;
#ifdef TICKETS
		link[1] = true;
		run useUp(0);
		run useUp(1);
		run purge();
#else
		run Revoke();
		run shareAll();
		run Follow();
		run contact();
#ifdef CURRENT
		run caughtUp(0);
		run caughtUp(1);
#endif
#endif
		run commit();
		run crash();
		run partition()
	}
	timeout -> assert(KEPT)
}
