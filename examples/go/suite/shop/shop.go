// Package shop is what the tests are about.
package shop

// Total returns what a basket costs.
func Total(prices ...int) int {
	total := 0
	for _, price := range prices {
		total += price
	}
	return total
}
