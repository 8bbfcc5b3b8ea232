"""Fine-tuned transformers: whole essays in, one representation and one prediction each."""
