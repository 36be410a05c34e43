"""A policy at work: an agent to import, and a service that robots and benchmarks ask over the network."""
