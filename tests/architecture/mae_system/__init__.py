"""A sixth system in under 250 lines: a masked autoencoder on frames, which docs/add_a_system.md builds."""
