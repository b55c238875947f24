"""The worker: a Faust app on a transport that reads from the ledger on."""
