package wire

import (
	"sync/atomic"
	"time"
)

// gatherSize is how much of a large body is let come in before its reader is waked,
// and gatherTime how long nothing may have been read meanwhile. gatherRest is more
// than TLS has read already of what is still to come, and gatherPause how much is
// read as it comes where it was late.
const (
	gatherSize  = 512 << 10
	gatherTime  = time.Millisecond
	gatherRest  = 64 << 10
	gatherPause = 4 * gatherSize
)

// gather has the system wake the reader of a large body for much at a time: to wake
// it for little costs both ends more than to send that, and a reader that is faster
// than the server would be waked for little always.
//
// What came waits for twice gatherTime at most, and once in gatherPause.
type gather struct {
	turn  int64        // whose body it is
	from  int64        // how many bytes are read before it begins
	watch *gatherWatch // while it goes on
}

// before is called before each read, with how many bytes were read from the socket
// and how many of a body are still to come.
func (g *gather) before(s *socket, turn, read int64, left uint64) {
	if g.turn != turn {
		g.turn, g.from = turn, 0
	}
	if w := g.watch; w != nil {
		w.reads.Add(1)
		late := w.over.Load()
		if !late && left >= gatherSize+gatherRest {
			return
		}
		if late {
			g.from = read + gatherPause
		}
		w.over.Store(true)
		s.wakeFor(1)
		g.watch = nil
	}
	if left >= 2*gatherSize && read >= g.from && s.direct() && s.wakeForMuch(gatherSize) {
		g.watch = &gatherWatch{socket: s, seen: -1}
		time.AfterFunc(gatherTime, g.watch.look)
	}
}

// gatherWatch lets a reader have what there is when no read has ended for a while.
type gatherWatch struct {
	socket *socket
	reads  atomic.Int64
	seen   int64 // of reads, by look
	over   atomic.Bool
}

// look comes after each gatherTime, until the watch is over.
func (w *gatherWatch) look() {
	if w.over.Load() {
		return
	}
	if reads := w.reads.Load(); reads != w.seen {
		w.seen = reads
		time.AfterFunc(gatherTime, w.look)
		return
	}
	w.over.Store(true)
	w.socket.wakeFor(1) // who waits is waked by that
}
