"""How good one embedding per frame is: phases, progression, order in time, retrieval, alignment.

The tasks of CARL's evaluation (arXiv 2203.14957, section 4; four of them come from TCC, arXiv 1904.07846).
They take an :class:`~vidrep_pipelines.evaluation.frame_embeddings.embedding_set.EmbeddingSet`, so that the
embeddings are computed once for all of them.
"""
