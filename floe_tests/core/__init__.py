"""What every room uses: errors, evidence, deadlines, signals, programs, the ledger."""
