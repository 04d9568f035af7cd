// Pgolib-way merges profiles as programs do that use google/pprof as a library: parse all, merge, write.
//
//	pgolib-way OUT FILE...
package main

import (
	"log"
	"os"

	"github.com/google/pprof/profile"
)

func read(path string) (*profile.Profile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return profile.Parse(file)
}

func main() {
	log.SetFlags(0)
	var inputs []*profile.Profile
	for _, path := range os.Args[2:] {
		p, err := read(path)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		inputs = append(inputs, p)
	}
	merged, err := profile.Merge(inputs)
	if err != nil {
		log.Fatal(err)
	}
	out, err := os.Create(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := merged.Write(out); err != nil {
		log.Fatal(err)
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
}
