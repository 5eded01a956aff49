package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRun_Chat loads the chat for a moment: everybody gets everything.
func TestRun_Chat(t *testing.T) {
	t.Parallel()
	s := settings{clients: 20, rate: 20, seconds: 1, bytes: minText, rounds: 1, servers: "chat"}
	if err := s.run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*settings){
		"nobody":             func(s *settings) { s.clients = 0 },
		"no message":         func(s *settings) { s.rate = 0 },
		"too long a message": func(s *settings) { s.bytes = maxText + 1 },
		"an unknown server":  func(s *settings) { s.servers = "chat,other" },
	} {
		s := settings{clients: 1, rate: 1, seconds: 1, bytes: minText, rounds: 1, servers: "chat"}
		change(&s)
		err := s.check()
		if err == nil {
			_, err = s.build(t.TempDir())
		}
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestFleet_Complete: a message that is lost, comes twice, in another order or as
// somebody else's does not go unnoticed.
func TestFleet_Complete(t *testing.T) {
	t.Parallel()
	line := func(number, by, author string) string {
		return `{"changes":[{"row":{"author":"` + author + `","text":"~` + number + "~" + by + `~1~xxx"}}]}`
	}
	good := []string{line("0", "0", "ada"), line("1", "1", "bob")}
	for _, r := range []struct {
		name string
		ada  []string // what she is told
		bob  []string
		want error
	}{
		{"everything", good, good, nil},
		{"everything in another order", []string{good[1], good[0]}, []string{good[1], good[0]}, nil},
		{"one lost", good, good[:1], errLost},
		{"one lost to everybody", good[:1], good[:1], errLost},
		{"one twice to everybody", []string{good[0], good[0]}, []string{good[0], good[0]}, errLost},
		{"one more than there are", good, append(good, good[0]), errLost},
		{"an order each", good, []string{good[1], good[0]}, errLost},
		{"another author", good, []string{good[0], line("1", "1", "ada")}, errLost},
		{"no author", good, []string{good[0], strings.Replace(good[1], "author", "from", 1)}, errLost},
		{"an error beside", good, append(good, `{"id":3,"error":{"code":1}}`), errLost},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			f := &fleet{names: []string{"ada", "bob"}, messages: len(good)}
			for n, told := range [][]string{r.ada, r.bob} {
				f.clients = append(f.clients, &client{fleet: f, talk: protocol{author: `"author":"`}})
				for _, line := range told {
					f.clients[n].take([]byte(line), time.Now())
				}
			}
			if err := f.complete(); !errors.Is(err, r.want) {
				t.Errorf("complete() error = %v, want %v", err, r.want)
			}
		})
	}
}
