package main

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand"
	"strings"
)

const nWords = 2048

// A book is a bag of words: which, in rising order, and how often each.
type book struct {
	title  string
	words  []uint32
	counts []uint16
	length float64
}

type library struct {
	books  []book
	length float64 // of a book, on average
}

// WordName makes words of two to four syllables: "baka", "ditola".
func wordName(id uint32) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	var name strings.Builder
	for id += 70; id > 0; id /= 70 {
		name.WriteByte(consonants[id%14])
		name.WriteByte(vowels[id/14%5])
	}
	return name.String()
}

var wordIDs = func() map[string]uint32 {
	ids := make(map[string]uint32)
	for id := uint32(0); id < nWords; id++ {
		ids[wordName(id)] = id
	}
	return ids
}()

func newLibrary(n int) *library {
	random := rand.New(rand.NewSource(42))
	zipf := rand.NewZipf(random, 1.1, 8, nWords-1)
	l := &library{}
	for i := 0; i < n; i++ {
		b := newBook(i, 100+random.Intn(400), zipf)
		l.length += b.length / float64(n)
		l.books = append(l.books, b)
	}
	return l
}

func newBook(number, length int, zipf *rand.Zipf) book {
	var counts [nWords]uint16
	for i := 0; i < length; i++ {
		counts[zipf.Uint64()]++
	}
	b := book{title: fmt.Sprintf("Volume %d", number), length: float64(length)}
	for id, count := range counts {
		if count > 0 {
			b.words = append(b.words, uint32(id))
			b.counts = append(b.counts, count)
		}
	}
	return b
}

// A query gives a book a score; 0 means that the book is not what was asked for.
type query interface {
	score(b *book) float64
}

type word struct {
	id     uint32
	weight float64
}

// Score finds the word by halving, then weighs its count the usual way: more is better, but less and less so.
func (w *word) score(b *book) float64 {
	low, high := 0, len(b.words)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if b.words[middle] < w.id {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(b.words) || b.words[low] != w.id {
		return 0
	}
	count := float64(b.counts[low])
	return w.weight * count * 2.2 / (count + 1.2*(0.25+0.75*b.length/300))
}

type without struct{ what query }

func (n *without) score(b *book) float64 {
	if n.what.score(b) > 0 {
		return 0
	}
	return 1e-9
}

type prefix struct{ ids []uint32 }

func (p *prefix) score(b *book) float64 {
	best := 0.0
	for _, id := range p.ids {
		w := word{id, 0.5}
		best = max(best, w.score(b))
	}
	return best
}

// All asks for every part.
type all struct{ parts []query }

func (a *all) score(b *book) float64 {
	sum := 0.0
	for _, part := range a.parts {
		score := part.score(b)
		if score == 0 {
			return 0
		}
		sum += score
	}
	return sum
}

func parse(text string) (query, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil, errors.New("an empty query: try /search?q=WORD+WORD")
	}
	q := &all{}
	for _, field := range fields {
		q.parts = append(q.parts, parseField(field))
	}
	return q, nil
}

func parseField(field string) query {
	if strings.HasPrefix(field, "-") {
		return &without{parseField(field[1:])}
	}
	if strings.HasSuffix(field, "*") {
		p := &prefix{}
		for id := uint32(0); id < nWords && len(p.ids) < 20; id++ {
			if strings.HasPrefix(wordName(id), field[:len(field)-1]) {
				p.ids = append(p.ids, id)
			}
		}
		return p
	}
	id, known := wordIDs[field]
	if !known {
		id = nWords
	}
	return &word{id, 1 + float64(id)/nWords}
}

type hit struct {
	Title string  `json:"title"`
	Score float64 `json:"score"`
}

// Best is a heap with the worst of the best hits on top.
type best []hit

func (h best) Len() int           { return len(h) }
func (h best) Less(i, j int) bool { return h[i].Score < h[j].Score }
func (h best) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *best) Push(x any)        { *h = append(*h, x.(hit)) }
func (h *best) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (l *library) search(q query, n int) []hit {
	var found best
	for i := range l.books {
		score := q.score(&l.books[i])
		if score == 0 {
			continue
		}
		heap.Push(&found, hit{l.books[i].title, score})
		if len(found) > n {
			heap.Pop(&found)
		}
	}
	hits := make([]hit, len(found))
	for i := len(hits) - 1; i >= 0; i-- {
		hits[i] = heap.Pop(&found).(hit)
	}
	return hits
}
