package requests

import (
	"bufio"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The format has no specification: these are what all its readers agree on.
const (
	cookieFileHeader = "# Netscape HTTP Cookie File\n"
	httpOnlyPrefix   = "#HttpOnly_"
	// maxCookieLineSlack is what a line may hold besides name and value.
	maxCookieLineSlack = 2*maxCookieAttribute + 128
	// maxCookieLine bounds a comment, and a cookie where the jar itself has no
	// bound.
	maxCookieLine = 1 << 20
)

// Save writes the jar to a file in the format of [CookieJar.WriteTo]. The file
// appears at once and whole, readable by its owner alone: it is written under
// another name in the same directory, synced and renamed. A symbolic link at
// path is replaced and not followed. Where Save fails the old file is as it
// was.
func (j *CookieJar) Save(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".cookies-*") // mode 0600
	if err != nil {
		return err
	}
	// Without the sync the rename may reach the disk before the content does,
	// and a power failure leave an empty file.
	_, err = j.WriteTo(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename within dir last through a power failure, where the
// system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	d.Sync() //nolint:errcheck // not every file system can; the file itself is safe by now
	return d.Close()
}

// Load stores the cookies of a file as [CookieJar.ReadFrom] does.
func (j *CookieJar) Load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = j.ReadFrom(f)
	return err
}

// WriteTo writes all cookies that have not expired in the format of Netscape's
// cookies.txt: one line a cookie, seven fields with tabs between them:
//
//	[#HttpOnly_]domain  subdomains?  path  secure?  expiry  name  value
//
// Expiry is in seconds of Unix time, and empty for a cookie that ends with the
// session. SameSite has no place there and is lost.
//
// Python's MozillaCookieJar writes and loads the same, session cookies with
// ignore_discard=True; a value with a tab is beyond it. curl shares the
// cookies that have an expiry: for the others it writes 0, which Python would
// take for long ago, and lines where nothing stands it passes over.
// [CookieJar.ReadFrom] reads both. It is an [io.WriterTo].
func (j *CookieJar) WriteTo(w io.Writer) (int64, error) {
	now := j.clock()
	out := []byte(cookieFileHeader)
	for _, r := range j.records() {
		if !r.expired(now) {
			out = r.appendLine(out)
		}
	}
	n, err := w.Write(out)
	return int64(n), err
}

// appendLine appends the cookie as a line of a file. The checks on the way in
// have seen to it that no field holds a line end, and none but the last a tab.
func (r *cookieRecord) appendLine(dst []byte) []byte {
	if r.httpOnly {
		dst = append(dst, httpOnlyPrefix...)
	}
	expires := ""
	if !r.expires.IsZero() {
		expires = strconv.FormatInt(r.expires.Unix(), 10)
	}
	for _, field := range []string{
		r.domain, fileBool(strings.HasPrefix(r.domain, ".")), r.path, fileBool(r.secure),
		expires, r.name,
	} {
		dst = append(dst, field...)
		dst = append(dst, '\t')
	}
	dst = append(dst, r.value...)
	return append(dst, '\n')
}

// fileBool writes TRUE or FALSE.
func fileBool(b bool) string {
	return strings.ToUpper(strconv.FormatBool(b))
}

// ReadFrom stores the cookies of a file in the format of [CookieJar.WriteTo],
// besides those that are in the jar, which they win over. Comments, which begin
// with # or, where they are no cookies, with $, and empty lines are passed over,
// and so are cookies that have expired and, as in Set-Cookie lines, those
// without a name. An expiry of 0, or none, is the end of the session, part of a
// second is cut off, and a flag is FALSE unless it is TRUE in any case.
//
// All is read before anything is stored: a line that is longer than the
// largest cookie, or a comment of more than 1 MiB, a line that is no cookie,
// holds control bytes or what [CookieJar.Set] refuses is an error that matches
// [ErrBadCookie], names the line by its number and leaves the jar as it was.
// The file speaks for the caller: no rule about who may set what applies. It is
// an [io.ReaderFrom].
func (j *CookieJar) ReadFrom(r io.Reader) (int64, error) {
	now, lim := j.clock(), j.Limits.bounds()
	counter := &cookieReader{r: r}
	// Without the lock: the reader is the caller's, and may be slow.
	records, err := readCookieFile(counter, now, lim)
	if err != nil {
		return counter.n, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		j.store.put(r, lim, now)
	}
	return counter.n, nil
}

// cookieReader counts what is read, which [io.ReaderFrom] has to tell.
type cookieReader struct {
	r io.Reader
	n int64
}

// Read is [io.Reader].
func (c *cookieReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// readCookieFile reads all records of a file that are still good.
func readCookieFile(in io.Reader, now time.Time, lim cookieBounds) ([]cookieRecord, error) {
	var records []cookieRecord
	lines := bufio.NewScanner(in)
	bound := lineBound(lim)
	lines.Buffer(nil, max(bound, maxCookieLine)+len("\r\n")) // comments may be longer
	number := 0
	for lines.Scan() {
		number++
		r, ok, bad := parseCookieLine(lines.Text(), bound, lim)
		if bad != nil {
			return nil, atLine(bad, number)
		}
		if ok && !r.expired(now) {
			records = append(records, r)
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, atLine(badCookie("", "line is too long"), number+1)
	}
	return records, err
}

// lineBound is the length beyond which a cookie's line is refused: that of the
// largest cookie. It is an error and no cut: what follows a cut would be read
// as a record of its own.
func lineBound(lim cookieBounds) int {
	if lim.cookieBytes == math.MaxInt {
		return maxCookieLine
	}
	return lim.cookieBytes + maxCookieLineSlack
}

// atLine adds the line's number, and takes the name out: it is the file's
// content, not the caller's.
func atLine(bad *CookieError, number int) error {
	return &CookieError{Line: number, Reason: bad.Reason, Err: bad.Err}
}

// parseCookieLine reads one line; false for one that holds no cookie.
//
// Python's loader takes a line that begins with $ for a comment, and curl for a
// cookie: it is what it looks like, so that the jar of a host that is named so
// comes back from its file.
func parseCookieLine(line string, bound int, lim cookieBounds) (cookieRecord, bool, *CookieError) {
	bare, httpOnly := strings.CutPrefix(line, httpOnlyPrefix)
	text := trimCookieBlanks(bare)
	// The prefix of HttpOnly begins like a comment, to readers that do not know it.
	if text == "" || text[0] == '#' {
		return cookieRecord{}, false, nil
	}
	if len(line) > bound && text[0] != '$' {
		return cookieRecord{}, false, badCookie("", "line is too long")
	}
	r, ok, bad := parseCookieFields(bare, lim)
	if bad != nil && text[0] == '$' {
		return cookieRecord{}, false, nil
	}
	r.httpOnly = httpOnly
	return r, ok, bad
}

// parseCookieFields reads the fields of a line; false where they have no name.
func parseCookieFields(line string, lim cookieBounds) (cookieRecord, bool, *CookieError) {
	var r cookieRecord
	fields := strings.SplitN(line, "\t", 7)
	if len(fields) == 6 {
		fields = append(fields, "") // editors and curl drop the tab before an empty value
	}
	if len(fields) != 7 {
		return r, false, badCookie("", "line has not seven fields")
	}
	if fields[5] == "" {
		return r, false, nil
	}
	r.path, r.name, r.value = fields[2], fields[5], fields[6]
	return r, true, r.readFields(fields, lim)
}

// readFields reads the fields of a line that need more than copying.
func (r *cookieRecord) readFields(fields []string, lim cookieBounds) *CookieError {
	expires, okExpiry := parseFileExpiry(fields[4])
	domain, okDomain := callerDomain(fields[0])
	if !okExpiry || !okDomain {
		return badCookie("", "field is not of its type")
	}
	r.secure, r.expires = parseFileBool(fields[3]), expires
	r.domain = strings.TrimPrefix(domain, ".")
	if parseFileBool(fields[1]) && r.domain != "" {
		r.domain = "." + r.domain // the second field decides, as in curl
	}
	if r.path == "" {
		r.path = "/"
	}
	return r.check(lim)
}

// parseFileBool reads TRUE in any case; all else is false, for Python and curl
// too.
func parseFileBool(s string) bool { return strings.EqualFold(s, "TRUE") }

// parseFileExpiry reads Unix seconds, which may have a fraction or an exponent
// and blanks around them; 0, and nothing as Python writes it, is the end of the
// session.
func parseFileExpiry(s string) (time.Time, bool) {
	if s == "" || s == "0" {
		return time.Time{}, true
	}
	seconds, ok := parseSeconds(trimCookieBlanks(s))
	switch {
	case !ok:
		return time.Time{}, false
	case seconds >= maxCookieUnix:
		return maxCookieTime(), true
	}
	return time.Unix(int64(max(seconds, 0)), 0).UTC(), true
}

// parseSeconds reads a decimal number, one beyond all bounds as infinity. A
// float64 has room for every second up to the last that a cookie may have.
func parseSeconds(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false // names of infinity, hexadecimal
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}
