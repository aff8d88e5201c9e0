//go:build !windows

package requests

// homeVariable names the user's directory.
const homeVariable = "HOME"
