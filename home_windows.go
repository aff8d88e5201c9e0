package requests

// homeVariable names the user's directory.
const homeVariable = "USERPROFILE"
