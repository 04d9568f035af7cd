// Interp walks syntax trees made of interface values: nearly every call is indirect, and a few targets are hot.
package main

import "example.org/pgofs/internal/measure"

type node interface {
	eval(env *[4]int) int
}

type constant int

func (c constant) eval(*[4]int) int { return int(c) }

type variable int

func (v variable) eval(env *[4]int) int { return env[v] }

type operation struct {
	apply       func(a, b int) int
	left, right node
}

func (o *operation) eval(env *[4]int) int { return o.apply(o.left.eval(env), o.right.eval(env)) }

type assignment struct {
	to   variable
	what node
}

func (a *assignment) eval(env *[4]int) int {
	env[a.to] = a.what.eval(env)
	return env[a.to]
}

type loop struct {
	while node
	body  []node
}

func (l *loop) eval(env *[4]int) int {
	last := 0
	for l.while.eval(env) != 0 {
		for _, statement := range l.body {
			last = statement.eval(env)
		}
	}
	return last
}

func plus(a, b int) int  { return a + b }
func minus(a, b int) int { return a - b }
func mixed(a, b int) int { return (a ^ b*31) & 0xffff }

// The program mixes two numbers while it counts down.
func program(n int) node {
	step := &assignment{1, &operation{mixed, variable(1), &operation{plus, variable(2), variable(0)}}}
	swap := &assignment{2, &operation{minus, variable(1), variable(2)}}
	down := &assignment{0, &operation{minus, variable(0), constant(1)}}
	return &loop{variable(0), []node{step, swap, &assignment{3, constant(n)}, down}}
}

var result int

func work(round int) {
	env := [4]int{100000, round}
	result += program(7).eval(&env)
}

func main() {
	measure.Run(work)
}
