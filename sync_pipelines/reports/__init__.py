"""What finance reads: typed data here, rendering in templates beside it."""
