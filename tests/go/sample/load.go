package main

import (
	"context"
	"io"
	"log"
	"math/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Chooser makes up queries as people ask them: mostly two or three common words, now and then something else.
type chooser struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newChooser(seed int64) *chooser {
	random := rand.New(rand.NewSource(seed))
	return &chooser{random, rand.NewZipf(random, 1.2, 4, nWords-1)}
}

func (c *chooser) word() string {
	return wordName(uint32(c.zipf.Uint64()))
}

func (c *chooser) query() string {
	parts := []string{c.word(), c.word()}
	switch c.random.Intn(8) {
	case 0:
		parts = append(parts, "-"+c.word())
	case 1:
		parts = append(parts, c.word()[:2]+"*")
	default:
		parts = append(parts, c.word())
	}
	return strings.Join(parts, " ")
}

func client(ctx context.Context, base string, seed int64, pause time.Duration) {
	words := newChooser(seed)
	for ctx.Err() == nil {
		answer, err := http.Get(base + "/search?q=" + url.QueryEscape(words.query()))
		if err != nil {
			log.Print(err)
			return
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		time.Sleep(pause)
	}
}
