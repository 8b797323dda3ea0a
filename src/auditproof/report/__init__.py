"""What a run reports: records of proofs, results.json, the ticket document."""
