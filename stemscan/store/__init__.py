"""The store of one acquisition, contract 2: `reader.Acquisition`, `writer.AcquisitionWriter`, and what they share.

`schema` says which arrays there are, `record` what the root's attribute holds, `files` how files are locked and written
durably, `arrays` and `digests` how chunks are read, written and checked, `verify` checks a whole store.
"""
