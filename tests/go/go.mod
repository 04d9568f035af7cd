module example.org/pgofs

go 1.21
