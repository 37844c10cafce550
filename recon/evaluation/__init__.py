"""Methods x sampling ratios x doses x noise x images: every case measured once, cached, and put into tables.

- `contenders`: what is compared, a method with its weights and settings under a label;
- `images`: the synthetic test set and folders of micrographs;
- `cases`: what is to be run, and the digest by which it is known;
- `run`: one case; `published`: the same under the protocol of the published code;
- `cache`, `schedule`, `session`: rows on disk, processes and clusters, and the whole of it;
- `averages`, `tables`, `curves`, `panels`: what is shown, beside `paper_numbers`.
"""
