// Codec spends its time in encoding/json: reflection, maps, many small allocations, garbage collection.
package main

import (
	"encoding/json"
	"fmt"

	"example.org/pgofs/internal/measure"
)

type order struct {
	ID    int               `json:"id"`
	Buyer string            `json:"buyer"`
	Lines []line            `json:"lines"`
	Notes map[string]string `json:"notes,omitempty"`
}

type line struct {
	Article string  `json:"article"`
	Count   int     `json:"count"`
	Price   float64 `json:"price"`
}

func newOrder(id int) order {
	o := order{ID: id, Buyer: fmt.Sprintf("buyer %d", id%17), Notes: map[string]string{}}
	for i := 0; i < 3+id%20; i++ {
		o.Lines = append(o.Lines, line{fmt.Sprintf("article %d", i*id), i, float64(i*id) / 7})
		o.Notes[fmt.Sprint("note ", i%5)] = o.Buyer
	}
	return o
}

func total(o order) (sum float64) {
	for _, l := range o.Lines {
		sum += l.Price * float64(l.Count)
	}
	return sum
}

func work(round int) {
	for id := 0; id < 100; id++ {
		before := newOrder(id + round)
		text, err := json.Marshal(before)
		if err != nil {
			panic(err)
		}
		var after order
		if err := json.Unmarshal(text, &after); err != nil {
			panic(err)
		}
		if total(before) != total(after) {
			panic("an order changed on its way")
		}
	}
}

func main() {
	measure.Run(work)
}
