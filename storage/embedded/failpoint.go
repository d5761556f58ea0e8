package embedded

// Failpoints are the names of the places between two steps of an upload, a replacement and a delete where a program built
// with the tag failpoints ends itself, in the order in which a replacement passes them. Without the tag nothing of them is
// compiled in. The variable FAILPOINT=name:n ends the process, as SIGKILL does, when it passes the place for the n-th time.
var Failpoints = []string{}
