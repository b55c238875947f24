"""The KPI file: what a CX owner writes, checked, explained and sized."""
