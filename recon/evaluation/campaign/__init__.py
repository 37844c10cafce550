"""Campaigns: many acquisitions of virtual specimens, each reconstructed by several methods, on a cluster.

- `settings`, `entries`: the campaign file, and its short forms of long lists;
- `jobs`, `design`: one acquisition and what is made of it, and the product of all of them;
- `work`: one job from scan to figures, on a worker;
- `results`, `folder`: what is done, a line a job, and the folder that holds it;
- `runners`, `session`: who does the jobs, and the whole from beginning to end;
- `summary`: tables of all results.
"""
