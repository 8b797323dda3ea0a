"""The proof: plan, perform, fence, judge."""
