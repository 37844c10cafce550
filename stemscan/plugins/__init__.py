"""Plug-ins: code of other people, found by the name of an entry point or as ``file.py:function``, or handed over.

One mechanism for all kinds of plug-ins. Nothing is imported before `Plugin.load`, and whatever is wrong is told in one
sentence that names the plug-in: a file or function that is not there, an import that fails, with the line of the
plug-in's own code, and names that two plug-ins share, or a plug-in and something built in.
"""
