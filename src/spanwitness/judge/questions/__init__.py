"""What a judge is asked, one file for each evaluator."""
