"""What is made from the code: golden schemas, samples in their full form, and the reference pages.

``make schemas`` and ``make docs`` write it; tests prove that what is committed is what would be written. Nothing in
this room ships with a service. Every generator returns ``Files``; only ``files.py`` writes to the disk.
"""
