// Sample is a small search service, made to be profiled.
//
// It serves /search?q=WORDS over a made-up library and, as any Go service can, its own CPU profile under
// /debug/pprof/profile. With -load it sends itself requests over HTTP, so that there is something to profile. Its hot
// path is calls through an interface to functions a little too large to be inlined: the Go compiler makes it faster
// once a profile shows which of them are hot.
//
//	sample -listen 127.0.0.1:0 -load 2 -for 1m
//	sample -bench 2000
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`ADDRESS` to serve on; port 0 takes a free one; the first line printed names it")
	load := flag.Int("load", 0, "how many clients of its own keep it busy")
	pause := flag.Duration("pause", 0, "how long each of them rests between two requests")
	life := flag.Duration("for", 0, "end after this time; 0 means on SIGTERM only")
	bench := flag.Int("bench", 0, "serve nothing: answer this many queries, print the CPU time taken, and end")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("sample: ")

	books := newLibrary(4000)
	if *bench > 0 {
		measure(books, *bench)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if *life > 0 {
		ctx, stop = context.WithTimeout(ctx, *life)
		defer stop()
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/search", books.serve)
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	base := "http://" + listener.Addr().String()
	fmt.Println(base)
	for i := 0; i < *load; i++ {
		go client(ctx, base, int64(i), *pause)
	}
	<-ctx.Done()
}

type answer struct {
	Query string        `json:"query"`
	Hits  []hit         `json:"hits"`
	Took  time.Duration `json:"took_ns"`
}

func (l *library) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	words := r.FormValue("q")
	q, err := parse(words)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	hits := l.search(q, 10)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer{words, hits, time.Since(start)})
}

// Measure reports CPU time, not wall time: it means the same on a busy machine.
func measure(books *library, n int) {
	words := newChooser(1)
	before := cpuTime()
	sum := 0.0
	for i := 0; i < n; i++ {
		q, err := parse(words.query())
		if err != nil {
			log.Fatal(err)
		}
		for _, h := range books.search(q, 10) {
			sum += h.Score
		}
	}
	used := cpuTime() - before
	fmt.Printf("%d queries, %.3f s of CPU time, %.0f us each, checksum %.3f\n", n, used.Seconds(),
		float64(used.Microseconds())/float64(n), sum)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
