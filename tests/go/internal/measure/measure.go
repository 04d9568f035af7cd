// Package measure lets a program profile itself for a fixed time.
//
// The programs beside it exist to be profiled: each does one kind of work until Run says stop. Profiles of a
// second are wanted, so the sampling rate can be raised; a run can be cut into several profiles in a row.
package measure

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"
)

var (
	profile  = flag.String("cpuprofile", "", "write CPU profiles to `FILE`; a '*' in it becomes the number of the profile")
	profiles = flag.Int("profiles", 1, "how many profiles to take, one after another")
	duration = flag.Duration("duration", time.Second, "how long one profile is")
	rate     = flag.Int("rate", 100, "samples a second; more than 100 makes the runtime print a harmless warning")
)

// Run calls work again and again until all profiles are taken. Work gets the number of the round and should take some
// milliseconds.
func Run(work func(round int)) {
	flag.Parse()
	for i := 0; i < *profiles; i++ {
		stop := start(strings.ReplaceAll(*profile, "*", fmt.Sprintf("%03d", i)))
		repeat(work)
		stop()
	}
}

func repeat(work func(round int)) {
	var over atomic.Bool
	timer := time.AfterFunc(*duration, func() { over.Store(true) })
	defer timer.Stop()
	for round := 0; !over.Load(); round++ {
		work(round)
	}
}

func start(path string) (stop func()) {
	if path == "" {
		return func() {}
	}
	file, err := os.Create(path)
	check(err)
	if *rate != 100 {
		runtime.SetCPUProfileRate(*rate)
	}
	check(pprof.StartCPUProfile(file))
	return func() {
		pprof.StopCPUProfile()
		check(file.Close())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
