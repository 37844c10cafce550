"""Methods x sampling ratios x doses x noise x images: every case measured once, cached, and put into tables.

- `contenders`: a method with its weights and settings, under a label;
- `images`: the synthetic test set and folders of micrographs;
- `cases`: the product of all that is to be run, and the digest of each;
- `protocols`, `scans`, `run`: how a case is scanned and judged, and one case from beginning to end;
- `cache`, `implementation`, `schedule`, `session`: rows on disk, digests of code, processes, clusters, and the whole;
- `averages`, `tables`, `curves`, `panels`, `report`, `printed`: what is shown, and published figures beside it.
"""
