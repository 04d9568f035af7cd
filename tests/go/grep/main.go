// Grep spends its time in regexp: a tight loop in few functions, with little else on the stack.
package main

import (
	"fmt"
	"regexp"
	"strings"

	"example.org/pgofs/internal/measure"
)

var (
	failure = regexp.MustCompile(`status=5\d\d .*took=(\d+)ms`)
	address = regexp.MustCompile(`\b(\d{1,3})\.(\d{1,3})\.\d+\.\d+\b`)
	slow    = regexp.MustCompile(`(GET|POST) /(a|b)*c .*took=[1-9]\d{2,}ms`)
)

var logs = func() string {
	var text strings.Builder
	for i := 0; i < 2000; i++ {
		path := strings.Repeat("ab", i%9) + "c"
		fmt.Fprintf(&text, "10.%d.0.%d GET /%s status=%d took=%dms\n", i%256, i%13, path, 200+i%4*100+i%3, i*i%997)
	}
	return text.String()
}()

func work(round int) {
	found := len(failure.FindAllStringSubmatch(logs, -1)) + len(slow.FindAllString(logs, -1))
	masked := address.ReplaceAllString(logs[:len(logs)/4], "$1.$2.x.x")
	if found == 0 || masked == "" {
		panic("nothing found")
	}
}

func main() {
	measure.Run(work)
}
