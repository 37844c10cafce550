"""Objects in buckets (S3, Google Cloud Storage, memory) that are reached by URLs, in the place of files in folders.

`path` is a path that is a URL; `bucket` reads, lists and deletes objects and puts them under a condition; `lease` lets
one process write below a URL; `problems` says in a sentence what a server refuses. obstore is imported when it is used.
"""
