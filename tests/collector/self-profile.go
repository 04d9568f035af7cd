// Self-profile is a program that profiles itself, with no HTTP and no collector:
//
//	self-profile DIRECTORY SOURCE INTERVAL DURATION
//
// where DIRECTORY is an app's in a mount of pgofs. What it needs for that is the function profile.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sort"
	"time"
)

// profile writes a CPU profile of this program into the app's directory dir, once an interval, for ever.
func profile(dir, source string, interval, duration time.Duration) {
	for ; ; time.Sleep(interval - duration) {
		var b bytes.Buffer
		start := time.Now().UTC()
		if err := pprof.StartCPUProfile(&b); err != nil {
			log.Print(err)
			continue
		}
		time.Sleep(duration)
		pprof.StopCPUProfile()
		path := filepath.Join(dir, start.Format("2006/01/02/150405.000Z-")+source+".pprof")
		os.MkdirAll(filepath.Dir(path), 0o777)
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			log.Print(err)
		}
	}
}

func main() {
	interval, _ := time.ParseDuration(os.Args[3])
	duration, _ := time.ParseDuration(os.Args[4])
	go profile(os.Args[1], os.Args[2], interval, duration)
	for i := 0; ; i++ {
		if n := work(i); n < 0 {
			fmt.Println(n)
		}
	}
}

//go:noinline
func work(seed int) int {
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprint(i * seed % 7919)
	}
	sort.Strings(words)
	return len(words[0])
}
