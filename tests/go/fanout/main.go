// Fanout sends small pieces of work through channels to many goroutines: the scheduler, locks and select are hot.
package main

import (
	"sync"
	"sync/atomic"

	"example.org/pgofs/internal/measure"
)

func collatz(n int) (steps int) {
	for ; n > 1; steps++ {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
	}
	return steps
}

func worker(in <-chan int, out chan<- int, quit <-chan struct{}) {
	for {
		select {
		case n, more := <-in:
			if !more {
				return
			}
			out <- collatz(n)
		case <-quit:
			return
		}
	}
}

func work(round int) {
	in, out, quit := make(chan int), make(chan int, 16), make(chan struct{})
	var running sync.WaitGroup
	for i := 0; i < 32; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			worker(in, out, quit)
		}()
	}
	var longest atomic.Int64
	var reader sync.WaitGroup
	reader.Add(1)
	go func() {
		defer reader.Done()
		for steps := range out {
			longest.Store(max(longest.Load(), int64(steps)))
		}
	}()
	for i := 0; i < 5000; i++ {
		in <- i + round
	}
	close(in)
	running.Wait()
	close(out)
	reader.Wait()
}

func main() {
	measure.Run(work)
}
