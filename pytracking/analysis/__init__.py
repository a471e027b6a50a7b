"""From result files to measures, tables, plots and overlay videos."""
