package main

import "testing"

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

// The ranks are those of the tables of the sign test, two-sided at 5 %.
func TestSignRank(t *testing.T) {
	for n, want := range map[int]int{5: 0, 6: 0, 9: 1, 10: 1, 12: 2, 20: 5, 40: 13} {
		if got := signRank(n); got != want {
			t.Errorf("signRank(%d) = %d, want %d", n, got, want)
		}
	}
}
