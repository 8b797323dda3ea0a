"""What a run tells: records of proofs, results.json, the ticket document."""
