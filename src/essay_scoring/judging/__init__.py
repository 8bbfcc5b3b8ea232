"""Whether a candidate is better: plans, register, comparison, power, studies, decisions."""
