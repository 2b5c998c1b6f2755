"""Optional extras: content labels by libmagic, and bridges to other libraries."""
