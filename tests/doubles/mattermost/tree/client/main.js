// The real web client begins here.
