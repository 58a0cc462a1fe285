"""What may be written in a config, and what to say of anything else."""
