"""The extractors of real engines, played through in memory, one file each.

`indexed` skips the play for layers whose entries cannot depend on their order.
"""
