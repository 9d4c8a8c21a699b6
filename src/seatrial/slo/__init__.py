"""Service level objectives with evidence: what events mean as measurements, the statistics, and the judgements."""
