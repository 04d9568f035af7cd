// Tree recurses: deep stacks, a function that calls itself on one line, two that call each other, and closures.
package main

import "example.org/pgofs/internal/measure"

type tree struct {
	left, right *tree
	key         int
}

func (t *tree) insert(key int) *tree {
	if t == nil {
		return &tree{key: key}
	}
	if key < t.key {
		t.left = t.left.insert(key)
	} else {
		t.right = t.right.insert(key)
	}
	return t
}

func (t *tree) walk(visit func(int)) {
	if t != nil {
		t.left.walk(visit)
		visit(t.key)
		t.right.walk(visit)
	}
}

func (t *tree) height() int {
	if t == nil {
		return 0
	}
	return 1 + max(t.left.height(), t.right.height())
}

func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func isEven(n int) bool { return n == 0 || isOdd(n-1) }
func isOdd(n int) bool  { return n != 0 && isEven(n-1) }

func work(round int) {
	var root *tree
	// Rising keys with a hop give a tree that leans: some stacks are deeper than a profile can hold.
	for i := 0; i < 400; i++ {
		root = root.insert(i + i*7919%13)
	}
	sum := root.height()
	root.walk(func(key int) { sum += key })
	for i := 0; i < 20; i++ {
		sum += fibonacci(18)
		if isEven(90) != isOdd(91) {
			panic("arithmetic is off")
		}
	}
	if sum == 0 {
		panic("an empty tree")
	}
}

func main() {
	measure.Run(work)
}
