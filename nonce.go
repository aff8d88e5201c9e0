package requests

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/seed-9ea40bd3/requests/internal/digest"
)

// nonceState is what is known of a server's nonces. A server has several: it
// makes new ones as they grow old, and of servers behind one name each has its
// own.
type nonceState struct {
	params digest.Params // of the nonce to be used unasked
	known  bool          // params are a server's
	used   []*nonce      // the last to be used at the end, at most maxNonces
}

// maxNonces is how many nonces of a server are remembered.
const maxNonces = 64

// nonce counts the uses of one. Servers take a count that comes again for a
// replay (RFC 7616, section 3.4), so it goes on where an older nonce returns.
type nonce struct {
	sum    [sha256.Size]byte // of the nonce, which may be long
	count  uint32
	cnonce string // of the last use
}

// digestUse is one use of a nonce.
type digestUse struct {
	params digest.Params
	count  uint32 // nc, which the server expects to grow by one
	cnonce string
	nonce  *nonce
}

// digestTurn is where a request stands with a server that asks for Digest.
type digestTurn struct {
	use     *digestUse // the last; nil for none yet
	answers uint8      // to challenges
	stale   bool       // one of them was to a stale nonce, which is once allowed
}

// maxStaleAnswers bounds how often a request is sent again because others have
// used up its nonce meanwhile.
const maxStaleAnswers = 30

// maxSharedAnswers bounds for how many answers a request shares its nonce with
// others: one that they have outrun so often keeps the next to itself, since who is
// told of each could use each first, for ever.
const maxSharedAnswers = 3

// use counts a use of params' nonce.
func (n *nonceState) use(params digest.Params) *digestUse {
	of := n.touch(params.Nonce)
	of.count++
	// With a -sess algorithm the key is made of the first cnonce (RFC 7616,
	// section 3.4.2), so that a new one would make the server refuse us.
	if of.cnonce == "" || !params.Session() {
		of.cnonce = newCnonce()
	}
	return &digestUse{params: params, count: of.count, cnonce: of.cnonce, nonce: of}
}

// touch returns the count of a nonce, as the one that was used last.
func (n *nonceState) touch(text string) *nonce {
	sum := sha256.Sum256([]byte(text))
	i := n.index(sum)
	if i < 0 {
		if len(n.used) == maxNonces {
			n.used = slices.Delete(n.used, 0, 1)
		}
		n.used = append(n.used, &nonce{sum: sum})
		return n.used[len(n.used)-1]
	}
	of := n.used[i]
	n.used = append(slices.Delete(n.used, i, i+1), of)
	return of
}

// index finds a nonce among those that were used, or returns -1.
func (n *nonceState) index(sum [sha256.Size]byte) int {
	return slices.IndexFunc(n.used, func(of *nonce) bool { return of.sum == sum })
}

// learn takes the challenges of a refusal, and returns the one to answer and
// where the request then stands, unless it is not to be answered.
func (n *nonceState) learn(fields []string, turn digestTurn) (params digest.Params, next digestTurn, ok bool) {
	params, ok = digest.Select(digest.ParseChallenges(fields))
	if !ok {
		return params, turn, false
	}
	if turn.answers <= maxSharedAnswers {
		n.offer(params, turn.use)
	}
	next, ok = turn.answer(params)
	return params, next, ok
}

// offer takes a nonce to be used unasked from now on, unless it is an old one
// that comes late: known already, and told to a request that did not use the
// present one. The request itself is answered by it in any case.
func (n *nonceState) offer(params digest.Params, last *digestUse) {
	if !n.known || params.Nonce == n.params.Nonce || last != nil && last.params.Nonce == n.params.Nonce ||
		n.index(sha256.Sum256([]byte(params.Nonce))) < 0 {
		n.params, n.known = params, true
	}
}

// next takes the nonce that a server hands on with a response (RFC 7616,
// section 3.5). The key of a -sess algorithm goes with the nonce of a challenge,
// and whether it outlives that one is read in two ways: there the server may
// come with a challenge.
func (n *nonceState) next(fields []string, last *digestUse) {
	text, ok := digest.NextNonce(fields)
	if !ok || last.params.Session() {
		return
	}
	params := last.params
	params.Nonce, params.Stale = text, false
	n.offer(params, last)
}

// answer says whether a challenge is answered: one, and one more where that
// says that the nonce was stale. Others do not count: the refusal of
// credentials that nobody had asked for, and that of a nonce which other
// requests have used as well, for they may have used it up.
func (t digestTurn) answer(params digest.Params) (next digestTurn, ok bool) {
	next = t
	next.answers++
	switch {
	case t.answers == 0:
		next.stale = params.Stale && t.use == nil
	case !params.Stale || t.answers > maxStaleAnswers:
		return t, false
	case t.use.nonce.count > 1 && t.use.params.Nonce != params.Nonce:
	case t.stale:
		return t, false
	default:
		next.stale = true
	}
	return next, true
}

// newCnonce draws 64 bits and returns them as 16 hexadecimal digits, the length
// that Requests uses.
func newCnonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
