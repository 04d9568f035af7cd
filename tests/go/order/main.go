// Order sorts in four ways. Generic code and small comparisons give locations with several inlined lines.
package main

import (
	"cmp"
	"math/rand"
	"slices"
	"sort"

	"example.org/pgofs/internal/measure"
)

type city struct {
	name   string
	people int
}

func cities(seed int64) []city {
	random := rand.New(rand.NewSource(seed))
	list := make([]city, 5000)
	for i := range list {
		list[i] = city{string([]byte{byte('a' + random.Intn(26)), byte('a' + random.Intn(26))}), random.Intn(1 << 20)}
	}
	return list
}

type byPeople []city

func (l byPeople) Len() int           { return len(l) }
func (l byPeople) Less(i, j int) bool { return l[i].people < l[j].people }
func (l byPeople) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

func byName(a, b city) int {
	if c := cmp.Compare(a.name, b.name); c != 0 {
		return c
	}
	return cmp.Compare(a.people, b.people)
}

func mapped[In, Out any](list []In, f func(In) Out) []Out {
	result := make([]Out, 0, len(list))
	for _, item := range list {
		result = append(result, f(item))
	}
	return result
}

func merged[T any](a, b []T, compare func(T, T) int) []T {
	var result []T
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) <= 0 {
			result, a = append(result, a[0]), a[1:]
		} else {
			result, b = append(result, b[0]), b[1:]
		}
	}
	return append(append(result, a...), b...)
}

func sorted[T any](list []T, compare func(T, T) int) []T {
	if len(list) < 2 {
		return list
	}
	half := len(list) / 2
	return merged(sorted(list[:half], compare), sorted(list[half:], compare), compare)
}

func work(round int) {
	list := cities(int64(round))
	sort.Sort(byPeople(list))
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	slices.SortFunc(list, byName)
	counts := mapped(list, func(c city) int { return c.people })
	if !slices.IsSorted(sorted(counts, cmp.Compare[int])) {
		panic("not sorted")
	}
}

func main() {
	measure.Run(work)
}
