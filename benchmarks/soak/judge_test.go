package main

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// What servers answer.
var (
	ok            = answer{status: http.StatusOK}
	unauthorized  = answer{status: http.StatusUnauthorized}
	lacksKeys     = answer{status: http.StatusServiceUnavailable, body: `{"error":"temporarily_unavailable","error_description":"the issuer's keys are unavailable at present"}`}
	lacksRevoked  = answer{status: http.StatusServiceUnavailable, body: `{"error":"temporarily_unavailable","error_description":"revocations are unavailable at present"}`}
	serverError   = answer{status: http.StatusInternalServerError}
	unwell        = answer{status: http.StatusServiceUnavailable, body: "<html>"}
	disconnected  = answer{err: errors.New("EOF")}
	goodToken     = presented{kind: kindFirst, keyID: "key", good: true}
	badToken      = presented{kind: kindForged, keyID: "key"}
	unknownKeyOne = presented{kind: kindFlood}
)

// TestJudge: what must not be answered is a fault, and what may be is none.
func TestJudge(t *testing.T) {
	t.Parallel()
	const busy = time.Second
	bring := func(p presented, a answer) func(*judge) { return func(j *judge) { j.present(&p); j.take(&p, a) } }
	wait := func(d time.Duration) func(*judge) { return func(*judge) { time.Sleep(d) } }
	away := func(d time.Duration) func(*judge) {
		return func(j *judge) { j.outage(true); time.Sleep(d); j.outage(false) }
	}
	begins := func(j *judge) { j.outage(true) }
	nats := func(j *judge) { j.natsChanged() }
	for _, r := range []struct {
		name string
		did  []func(*judge) // each but the last without a fault
		want bool
	}{
		{"a good token accepted", []func(*judge){bring(goodToken, ok)}, false},
		{"a good token refused", []func(*judge){bring(goodToken, unauthorized)}, true},
		{"a bad token refused", []func(*judge){bring(badToken, unauthorized)}, false},
		{"a bad token accepted", []func(*judge){bring(badToken, ok)}, true},
		{"an unknown key refused", []func(*judge){bring(unknownKeyOne, unauthorized)}, false},
		{"an unknown key postponed", []func(*judge){bring(unknownKeyOne, lacksKeys)}, false},
		{"an unknown key accepted", []func(*judge){bring(unknownKeyOne, ok)}, true},
		{"keys lacking without need", []func(*judge){bring(goodToken, lacksKeys)}, true},
		{"keys lacking for a bad token, without need", []func(*judge){bring(badToken, lacksKeys)}, true},
		{"keys lacking in an outage", []func(*judge){begins, bring(goodToken, lacksKeys)}, false},
		{"keys lacking soon after an outage", []func(*judge){away(20 * time.Second), wait(50 * time.Second), bring(goodToken, lacksKeys)}, false},
		{"keys lacking long after an outage", []func(*judge){away(20 * time.Second), wait(51 * time.Second), bring(goodToken, lacksKeys)}, true},
		{"keys lacking in an outage that were there", []func(*judge){bring(goodToken, ok), wait(1), begins, bring(goodToken, lacksKeys)}, true},
		{"keys lacking in a flood", []func(*judge){bring(unknownKeyOne, lacksKeys), wait(20 * time.Second), bring(goodToken, lacksKeys)}, false},
		{"keys lacking after a flood", []func(*judge){bring(unknownKeyOne, lacksKeys), wait(21 * time.Second), bring(goodToken, lacksKeys)}, true},
		{"keys lacking for too long in a flood", []func(*judge){
			bring(unknownKeyOne, lacksKeys), bring(goodToken, lacksKeys), wait(10 * time.Second),
			bring(unknownKeyOne, lacksKeys), wait(time.Second), bring(goodToken, lacksKeys),
		}, true},
		{"revocations lacking without need", []func(*judge){bring(goodToken, lacksRevoked)}, true},
		{"revocations lacking after a NATS server ended", []func(*judge){nats, wait(45 * time.Second), bring(goodToken, lacksRevoked)}, false},
		{"revocations lacking long after that", []func(*judge){nats, wait(46 * time.Second), bring(goodToken, lacksRevoked)}, true},
		{"an error of the server", []func(*judge){begins, nats, bring(goodToken, serverError)}, true},
		{"an error of the server about a bad token", []func(*judge){bring(badToken, serverError)}, true},
		{"503 that does not say why", []func(*judge){begins, nats, bring(goodToken, unwell)}, true},
		{"no answer", []func(*judge){begins, nats, bring(badToken, disconnected)}, true},
	} {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJudge(1, 0, busy)
				for n, do := range r.did {
					if j.faulty() {
						t.Fatalf("step %d was a fault already: %+v", n, j.faults)
					}
					do(j)
				}
				if j.faulty() != r.want {
					t.Errorf("faulty() = %v, want %v: %+v", j.faulty(), r.want, j.faults)
				}
			})
		})
	}
}

// TestJudge_Shared: a revocation holds elsewhere in time.
func TestJudge_Shared(t *testing.T) {
	t.Parallel()
	const grace, busy = 5 * time.Second, time.Second
	for _, r := range []struct {
		name    string
		near    bool // a NATS server ended
		status  int
		lasting time.Duration
		want    bool
	}{
		{"at once", false, http.StatusOK, 0, false},
		{"in time", false, http.StatusOK, busy, false},
		{"too late", false, http.StatusOK, busy + 1, true},
		{"late near a NATS server's end", true, http.StatusOK, lateDelay + grace + busy, false},
		{"too late near a NATS server's end", true, http.StatusOK, lateDelay + grace + busy + 1, true},
		{"shared later", false, http.StatusAccepted, sharedDelay + busy, false},
		{"shared too late", false, http.StatusAccepted, sharedDelay + busy + 1, true},
	} {
		j := newJudge(2, grace, busy)
		if r.near {
			j.natsChanged()
		}
		j.shared(time.Now(), r.status, r.lasting, r.lasting)
		if j.faulty() != r.want {
			t.Errorf("%s: faulty() = %v, want %v: %+v", r.name, j.faulty(), r.want, j.faults)
		}
	}
}

// TestJudge_Faults: all are counted, and not all are kept.
func TestJudge_Faults(t *testing.T) {
	t.Parallel()
	j := newJudge(1, 0, 0)
	for range 2 * keptFaults {
		j.fault("one")
	}
	if j.all != 2*keptFaults || len(j.faults) != keptFaults {
		t.Errorf("got %d, %d kept, want %d and %d", j.all, len(j.faults), 2*keptFaults, keptFaults)
	}
}
