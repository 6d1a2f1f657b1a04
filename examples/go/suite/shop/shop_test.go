package shop

import (
	"os"
	"testing"
	"time"
)

// What SHOP_CASE asks for: green, red, or a test that never ends.
var mode = os.Getenv("SHOP_CASE")

func TestTotal(t *testing.T) {
	for name, prices := range map[string][]int{"none": {}, "one/item": {7}, "two": {3, 4}} {
		t.Run(name, func(t *testing.T) {
			want := 7
			if len(prices) == 0 {
				want = 0
			}
			if got := Total(prices...); got != want {
				t.Errorf("Total(%v) = %d, want %d", prices, got, want)
			}
		})
	}
}

func TestNeedsACluster(t *testing.T) {
	t.Skip("needs a cluster")
}

func TestDiscount(t *testing.T) {
	if mode == "red" {
		t.Errorf("a discount of 10 %% on %d is missing", Total(100))
	}
}

func TestLast(t *testing.T) {
	if mode == "hang" {
		time.Sleep(time.Hour)
	}
}
