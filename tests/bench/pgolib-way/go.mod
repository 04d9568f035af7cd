module example.org/pgofs/pgolib-way

go 1.23.0

require github.com/google/pprof v0.0.0-20250422154841-e1f9c1950416
