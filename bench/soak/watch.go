package main

import (
	"math"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// left is what a process holds.
type left struct{ goroutines, files int }

// settle is how long what was given back may take to go.
const settle = 2 * time.Second

// watch remembers what the process holds now.
func watch() left {
	// The runtime's poller comes up with the first socket, and stays.
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
	}
	return left{runtime.NumGoroutine(), openFiles()}
}

// openFiles counts the open descriptors, -1 where the system does not tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// check holds the process to what it held before. The pipes that the runtime
// splices tunnels with go when they are collected.
func (w left) check(r *report) {
	for end := time.Now().Add(settle); time.Now().Before(end) &&
		(runtime.NumGoroutine() > w.goroutines || openFiles() > w.files); {
		runtime.GC()
		pause(10 * time.Millisecond)
	}
	r.atMost("goroutines", float64(runtime.NumGoroutine()), float64(w.goroutines), "")
	r.atMost("descriptors", float64(openFiles()), float64(w.files), "")
}

// heapObjects is what the heap's objects take, dead ones included.
func heapObjects() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// peakHeap is the most, in MiB, that the heap's objects take beyond the start
// while f runs: looked at every half millisecond.
func peakHeap(f func() error) (float64, error) {
	runtime.GC()
	runtime.GC()
	base := heapObjects()
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		top := base
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			top = max(top, heapObjects())
			select {
			case <-done:
				peak <- top - base
				return
			case <-tick.C:
			}
		}
	}()
	err := f()
	close(done)
	return float64(<-peak) / (1 << 20), err
}

// memoryInUse is the least that the heap's objects and the process take, in MiB, at
// twenty moments within some seconds: what requests under way need comes and goes,
// and an encoder of the server's alone may have 8 MiB.
func memoryInUse() (heap, rss float64) {
	heap, rss = math.Inf(1), math.Inf(1)
	for range 50 {
		debug.FreeOSMemory()
		heap, rss = min(heap, float64(heapObjects())/(1<<20)), min(rss, resident())
		pause(100 * time.Millisecond)
	}
	return heap, rss
}

// resident is the process's resident memory in MiB, 0 where it is not known.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return float64(pages) * float64(os.Getpagesize()) / (1 << 20)
}

// cpuTime is the processor's time that this process took, in seconds.
func cpuTime() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / float64(time.Second)
}
