// Package services holds no code. Its tests run the library against programs
// that users meet: nginx, squid, tinyproxy, dante and Apache httpd, each
// started on free ports of the loopback interface with a configuration of its
// own in a temporary folder, and stopped again.
//
// A test whose program is not installed is skipped and names the Debian
// package; where the environment has CI=true it fails instead.
package services
