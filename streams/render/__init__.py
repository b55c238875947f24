"""What is generated from the KPI file: rules and their tests, routes, boards."""
