// Pipeline hashes and compresses, with labels on the goroutines: some with one key, some with several, one with an
// empty value, and work that has none.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"runtime/pprof"
	"sync"

	"example.org/pgofs/internal/measure"
)

var text = func() []byte {
	var b bytes.Buffer
	for i := 0; i < 4000; i++ {
		fmt.Fprintf(&b, "line %d of a text that repeats itself, %x\n", i, i*i)
	}
	return b.Bytes()
}()

func compress(context.Context) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(text)
	w.Close()
}

func digest(context.Context) {
	for i := 0; i < 20; i++ {
		sha256.Sum256(text)
		crc32.ChecksumIEEE(text)
	}
}

func work(round int) {
	var all sync.WaitGroup
	start := func(step func(context.Context), labels ...string) {
		all.Add(1)
		go func() {
			defer all.Done()
			pprof.Do(context.Background(), pprof.Labels(labels...), step)
		}()
	}
	customer := fmt.Sprint("customer-", round%5)
	start(compress, "step", "compress", "customer", customer)
	start(digest, "step", "digest", "customer", customer, "zone", "")
	start(func(ctx context.Context) {
		pprof.Do(ctx, pprof.Labels("step", "both", "überschrift", "größe\n"), func(ctx context.Context) {
			compress(ctx)
			digest(ctx)
		})
	}, "customer", customer)
	start(compress)
	all.Wait()
}

func main() {
	measure.Run(work)
}
