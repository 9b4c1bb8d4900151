"""Questions to stored blocks, to the history and to tables: what the commands ask, for anybody.

Each takes values and returns values. Nothing is printed: what an input holds and the answer
does not use goes to a function `tell`, by default to Python's warnings. An error is a
`monitor.errors.PoolscopeError`: `QuestionError` where the question cannot be answered as it is
asked, `StoreError` where there is no store to ask, or none with blocks.

>>> from analyzers.windows import Window
>>> from monitor.config import load_settings
>>> from monitor.queries.selection import Selection
>>> chosen = Selection(load_settings(), history=True, window=Window.parse("30d"))
>>> chosen.last().window.seconds
2592000
"""
