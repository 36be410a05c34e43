"""The published computations, written anew in the form in which the benchmarks need them."""
