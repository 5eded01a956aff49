package watch

// MaxWaiting is how many events wait for their turn.
const MaxWaiting = maxWaiting
