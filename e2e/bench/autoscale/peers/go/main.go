// Peers decides how many replicas there are to be, as Knative, Kubernetes and KEDA do: by their
// own code, in the time that the caller gives.
//
// Lines of JSON come in on standard input and each gets one line on standard output, in order:
//
//	{"do":"make","id":1,"peer":"kpa","settings":{…}}      -> {"id":1}
//	{"do":"look","id":1,"at":15,"told":1,"seen":[0,1,3,1,0.2]}
//	                                                        -> {"id":1,"desired":3}
//	{"do":"end","id":1}                                    -> {"id":1}
//
// Answers are sent when no further line is at hand, so that many may be asked at once. One process
// has as many policies as are made; each has a time of its own, in seconds from 0.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// Phases of a replica, as they are sent.
const (
	ready = iota
	loading
	draining
)

// replica is one of those that are seen. known: its numbers were read; cache is a share of 1.
type replica struct {
	phase                   int
	known                   bool
	running, waiting, cache float64
}

// fieldsEach is how many numbers tell of one replica: phase, 1 where its numbers were read and 0
// where not, running, waiting, cache.
const fieldsEach = 5

// replicasOf reads what was sent, all replicas in one row since that is read several times as fast.
func replicasOf(numbers []float64) ([]replica, error) {
	if len(numbers)%fieldsEach != 0 {
		return nil, fmt.Errorf("%d numbers of replicas: each has %d", len(numbers), fieldsEach)
	}
	found := make([]replica, 0, len(numbers)/fieldsEach)
	for ; len(numbers) > 0; numbers = numbers[fieldsEach:] {
		one := replica{int(numbers[0]), numbers[1] != 0, numbers[2], numbers[3], numbers[4]}
		found = append(found, one)
	}
	return found, nil
}

// seen is one look. told is the number of replicas that the target has been given; given is a
// metric that somebody else made, as requests that wait before all replicas.
type seen struct {
	at       time.Time
	told     int32
	given    float64
	replicas []replica
}

// staying counts the replicas that are not on their way out.
func (s seen) staying() (count int32) {
	for _, one := range s.replicas {
		if one.phase != draining {
			count++
		}
	}
	return count
}

// policy is one peer at work on one deployment.
type policy interface {
	look(seen) (int32, error)
	end()
}

var makers = map[string]func(id int, settings json.RawMessage) (policy, error){
	"kpa":  makeKPA,
	"hpa":  makeHPA,
	"keda": makeKEDA,
}

type request struct {
	Do       string          `json:"do"`
	ID       int             `json:"id"`
	Peer     string          `json:"peer"`
	Settings json.RawMessage `json:"settings"`
	At       float64         `json:"at"`
	Told     int32           `json:"told"`
	Given    float64         `json:"given"`
	Seen     []float64       `json:"seen"`
}

// epoch is when a simulation begins: a whole second, since Knative counts in buckets of one.
var epoch = time.Unix(1_000_000_000, 0)

type house struct{ policies map[int]policy }

// answer is the desired number, or -1 where none was asked for.
func (h *house) answer(line []byte) (id int, desired int32, err error) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return 0, -1, err
	}
	if asked.Do == "make" {
		maker, found := makers[asked.Peer]
		if !found {
			return asked.ID, -1, fmt.Errorf("no peer %q", asked.Peer)
		}
		made, err := maker(asked.ID, asked.Settings)
		if err == nil {
			h.policies[asked.ID] = made
		}
		return asked.ID, -1, err
	}
	found, there := h.policies[asked.ID]
	if !there {
		return asked.ID, -1, fmt.Errorf("no policy %d", asked.ID)
	}
	switch asked.Do {
	case "look":
		replicas, err := replicasOf(asked.Seen)
		if err != nil {
			return asked.ID, -1, err
		}
		at := epoch.Add(time.Duration(asked.At * float64(time.Second)))
		desired, err := found.look(seen{at, asked.Told, asked.Given, replicas})
		return asked.ID, desired, err
	case "end":
		found.end()
		delete(h.policies, asked.ID)
		return asked.ID, -1, nil
	}
	return asked.ID, -1, fmt.Errorf("nothing is done at %q", asked.Do)
}

func reply(id int, desired int32, err error) []byte {
	line := append([]byte(`{"id":`), strconv.Itoa(id)...)
	if err != nil {
		text, _ := json.Marshal(err.Error())
		line = append(append(line, `,"error":`...), text...)
	} else if desired >= 0 {
		line = append(line, `,"desired":`...)
		line = strconv.AppendInt(line, int64(desired), 10)
	}
	return append(line, "}\n"...)
}

func serve(in io.Reader, out io.Writer) error {
	house := &house{policies: map[int]policy{}}
	lines := bufio.NewReaderSize(in, 1<<20)
	answers := bufio.NewWriter(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return answers.Flush()
		}
		if err != nil {
			return err
		}
		if _, err := answers.Write(reply(house.answer(line))); err != nil {
			return err
		}
		if lines.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return err
			}
		}
	}
}

func main() {
	quiet()
	debug.SetGCPercent(400) // little is kept, and much is made for each look
	if err := serve(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
