package main

import (
	"math"
	"slices"
)

// median returns the middle of xs, NaN where there is none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(xs))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// interval is the 95 % confidence interval of the median: by the sign test,
// which asks nothing of the distribution.
func interval(xs []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(xs))
	if len(s) == 0 {
		return math.NaN(), math.NaN()
	}
	k := signRank(len(s))
	return s[k], s[len(s)-1-k]
}

// signRank is the largest k such that fewer than k+1 of n fair coins come up
// heads with a chance of at most 2.5 %, or 0.
func signRank(n int) int {
	p, sum := math.Pow(0.5, float64(n)), 0.0
	for k := 0; ; k++ {
		if sum += p; sum > 0.025 || k >= n/2 {
			return max(k-1, 0)
		}
		p *= float64(n-k) / float64(k+1)
	}
}
