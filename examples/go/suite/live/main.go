// Live runs `go test -json` with its arguments, passes on what that says, and writes it down as it
// happens: events.jsonl, and at the end collection.json. A run shows its progress by the events, and
// keeps them when its pod is killed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A line of `go test -json`. Source: https://pkg.go.dev/cmd/test2json
type line struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type object map[string]any

type report struct {
	file    *os.File
	output  map[[2]string]string
	started int
	failed  map[string]int
}

func (r *report) write(event object) {
	text, err := json.Marshal(event)
	if err == nil {
		_, err = r.file.Write(append(text, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
	}
}

func (r *report) phase(l line, when, outcome string, more object) {
	event := object{"$report_type": "TestReport", "nodeid": l.Package + "::" + l.Test,
		"classname": l.Package, "name": l.Test, "when": when, "outcome": outcome}
	for key, value := range more {
		event[key] = value
	}
	r.write(event)
}

func (r *report) end(l line, outcome string) {
	said := r.output[[2]string{l.Package, l.Test}]
	delete(r.output, [2]string{l.Package, l.Test})
	more := object{"duration": l.Elapsed}
	if outcome != "passed" {
		more["longrepr"] = object{"reprcrash": object{"message": first(said)}}
		more["sections"] = [][]string{{"output", said}}
	}
	r.phase(l, "call", outcome, more)
	r.phase(l, "teardown", "passed", nil)
}

// first returns the first line that a test itself wrote.
func first(said string) string {
	for _, text := range strings.Split(said, "\n") {
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, "===") && !strings.HasPrefix(text, "---") {
			return text
		}
	}
	return "failed"
}

var outcomes = map[string]string{"pass": "passed", "fail": "failed", "skip": "skipped"}

func (r *report) take(l line) {
	outcome, ended := outcomes[l.Action]
	switch {
	case l.Action == "output":
		r.output[[2]string{l.Package, l.Test}] += l.Output
	case l.Action == "run":
		r.started++
		r.phase(l, "setup", "passed", nil)
	case ended && l.Test != "":
		if outcome == "failed" {
			r.failed[l.Package]++
		}
		r.end(l, outcome)
	case l.Action == "fail" && r.failed[l.Package] == 0:
		// The package itself: it does not build, or its TestMain failed. gotestsum calls it so.
		r.started++
		said := r.output[[2]string{l.Package, ""}]
		l.Test = "TestMain"
		r.output[[2]string{l.Package, l.Test}] = said
		r.end(l, outcome)
	}
}

func run(results string, arguments []string) (int, error) {
	file, err := os.Create(filepath.Join(results, "events.jsonl"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	r := &report{file: file, output: map[[2]string]string{}, failed: map[string]int{}}
	r.write(object{"$report_type": "SessionStart"})
	tests := exec.Command("go", append([]string{"test", "-json", "-count=1"}, arguments...)...)
	tests.Stderr = os.Stderr
	stdout, err := tests.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := tests.Start(); err != nil {
		return 0, err
	}
	reader := bufio.NewReader(stdout)
	for {
		text, err := reader.ReadString('\n')
		os.Stdout.WriteString(text)
		var l line
		if json.Unmarshal([]byte(text), &l) == nil {
			r.take(l)
		}
		if err != nil {
			break
		}
	}
	code := 0
	var exit *exec.ExitError
	if err := tests.Wait(); errors.As(err, &exit) {
		code = 1
	} else if err != nil {
		return 0, err
	}
	// Go says which tests there are when it starts them: the count is known at the end alone.
	count, _ := json.Marshal(object{"collected": r.started})
	if err := os.WriteFile(filepath.Join(results, "collection.json"), count, 0o644); err != nil {
		return 0, err
	}
	r.write(object{"$report_type": "SessionFinish", "exitstatus": code})
	return code, nil
}

func main() {
	results := os.Getenv("FLOE_RESULTS_DIR")
	if results == "" {
		results = "/results"
	}
	code, err := run(results, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		code = 2
	}
	os.Exit(code)
}
